<?php
// Removes all that the plugin keeps, of every site of a network.

declare(strict_types=1);

if (!defined('WP_UNINSTALL_PLUGIN')) {
    exit;
}

function heraut_remove_everything(): void
{
    global $wpdb;
    foreach (['heraut_events', 'heraut_posts'] as $table) {
        $wpdb->query("DROP TABLE IF EXISTS {$wpdb->prefix}$table"); // phpcs:ignore WordPress.DB -- fixed names
    }
    foreach (['heraut', 'heraut_secret', 'heraut_schema', 'heraut_lock', 'heraut_failed_at'] as $option) {
        delete_option($option);
    }
    delete_post_meta_by_key('_heraut_send');
    $wpdb->query($wpdb->prepare(
        "DELETE FROM {$wpdb->options} WHERE option_name LIKE %s OR option_name LIKE %s",
        $wpdb->esc_like('_transient_heraut_') . '%',
        $wpdb->esc_like('_transient_timeout_heraut_') . '%'
    ));
    foreach (['heraut_send', 'heraut_tick'] as $hook) {
        wp_clear_scheduled_hook($hook);
    }
}

if (is_multisite()) {
    foreach (get_sites(['fields' => 'ids', 'number' => 0]) as $site) {
        switch_to_blog((int) $site);
        heraut_remove_everything();
        restore_current_blog();
    }
} else {
    heraut_remove_everything();
}
