<?php
// What the tests of the WordPress plugin do in a WordPress, by WordPress's own functions. Run by: wordpress run DIR steps.php JSON
return static function (array $a): mixed {
    global $wpdb;
    $id = (int) ($a['id'] ?? 0);
    $insert = static fn (array $fields): int => sound(wp_insert_post(wp_slash($fields + ['post_type' => 'post', 'post_title' => '', 'post_content' => '']), true), 'inserting');
    $update = static fn (array $fields): int => sound(wp_update_post(wp_slash(['ID' => $id] + $fields), true), 'updating');
    return match ($a['do']) {
        'insert' => $insert($a['fields']),
        'long' => $insert(['post_title' => 'Lang', 'post_content' => '<p>' . str_repeat('woord ', 80_000) . '</p>', 'post_status' => 'publish']),
        'update' => $update($a['fields']),
        'delete' => sound(wp_delete_post($id, true), 'deleting')->ID,
        'revision' => sound(wp_create_post_autosave(wp_slash(['post_ID' => $id] + $a['fields'])), 'saving automatically'),
        'terms' => wp_set_object_terms($id, $a['terms'], $a['taxonomy']),
        'term' => wp_insert_term($a['name'], 'category')['term_id'],
        'meta' => update_post_meta($id, $a['key'], $a['value']),
        'attach' => (function () use ($a) {
            $image = attach($a['file'], $a['alt']);
            return ['id' => $image, 'url' => wp_get_attachment_url($image), 'block' => image_block($image)];
        })(),
        'thumbnail' => set_post_thumbnail($id, (int) $a['image']),
        'events' => $wpdb->get_results("SELECT id, post_id, kind, state, attempts, status, answer, due_at - created_at AS wait FROM {$wpdb->prefix}heraut_events ORDER BY id"),
        'forget' => $wpdb->query("DELETE FROM {$wpdb->prefix}heraut_events") . delete_option('heraut_failed_at'),
        // The hour has come: the clock cannot be set, so the moment is.
        'let_due' => (function () use ($wpdb, $id) {
            $past = time() - 5;
            $wpdb->update($wpdb->posts, ['post_date_gmt' => gmdate('Y-m-d H:i:s', $past), 'post_date' => wp_date('Y-m-d H:i:s', $past)], ['ID' => $id]);
            wp_clear_scheduled_hook('publish_future_post', [$id]);
            return wp_schedule_single_event($past, 'publish_future_post', [$id]);
        })(),
        // A process that died after it saved the post, before it told anybody.
        'die_after_publishing' => (function () use ($insert, $a) {
            $post = $insert($a['fields']);
            fwrite(STDOUT, json_encode($post) . "\n");
            posix_kill(getmypid(), SIGKILL);
        })(),
        'password' => (function () {
            wp_set_password('geheim', 1);
            return get_userdata(1)->user_login;
        })(),
        'import' => (function () use ($insert, $a) {
            define('WP_IMPORTING', true);
            return $insert($a['fields']);
        })(),
        'remains' => [
            'tables' => $wpdb->get_col($wpdb->prepare('SHOW TABLES LIKE %s', $wpdb->esc_like($wpdb->prefix . 'heraut_') . '%')),
            'options' => $wpdb->get_col("SELECT option_name FROM {$wpdb->options} WHERE option_name LIKE '%heraut%' AND option_name NOT IN ('heraut_test_site')"),
            'meta' => $wpdb->get_col("SELECT meta_key FROM {$wpdb->postmeta} WHERE meta_key LIKE '%heraut%'"),
            'cron' => array_values(array_filter(array_merge(...array_map('array_keys', array_filter(_get_cron_array(), 'is_array'))), fn ($hook) => str_starts_with((string) $hook, 'heraut'))),
        ],
        'uninstall' => (function () {
            deactivate_plugins('heraut/heraut.php');
            uninstall_plugin('heraut/heraut.php');
            return true;
        })(),
        'later' => $wpdb->query("UPDATE {$wpdb->prefix}heraut_posts SET touched_at = touched_at - 3600"),
        'hour' => do_action('heraut_tick'),
        'scheduled' => wp_next_scheduled($a['hook']),
    };
};
