<?php

declare(strict_types=1);

namespace Heraut;

/**
 * Sees what happens to posts, and turns it into events at the end of the request, when text, terms, images and the box are all
 * saved. One request, and one state of a post, make one event at most.
 */
final class Changes
{
    /** Whether an editor wants a post to be told: '1', '0', or nothing, and then the default holds. */
    public const META = '_heraut_send';

    /** Most posts that are compared at once of those that an earlier request left over. */
    private const LEFT_OVER_MAX = 100;

    /** @var array<int, array{string, string}> Posts of this request, with type and title: what is deleted has none any more. */
    private static array $touched = [];

    public static function watch(): void
    {
        add_action('transition_post_status', self::moved(...), 10, 3);
        add_action('post_updated', self::updated(...), 10, 3);
        add_action('before_delete_post', self::deleted(...), 10, 2);
        add_action('set_object_terms', self::filed(...), 10, 4);
        foreach (['added_post_meta', 'updated_post_meta', 'deleted_post_meta'] as $hook) {
            add_action($hook, self::annotated(...), 10, 4);
        }
        // A box that was ticked on another site says nothing here.
        add_filter('import_post_meta_key', static fn ($key) => $key === self::META ? false : $key);
    }

    private static function moved($new, $old, $post): void
    {
        if ($post instanceof \WP_Post && ($new === 'publish' || $old === 'publish')) {
            self::touch($post, $new === 'publish' && $old !== 'publish');
        }
    }

    /** A password that is taken away publishes a post, without a change of status. */
    private static function updated($id, $after, $before): void
    {
        if ($after->post_status === 'publish' && $before->post_password !== '' && $after->post_password === '') {
            self::touch($after, true);
        }
    }

    private static function deleted($id, $post = null): void
    {
        $post ??= get_post($id);
        if ($post instanceof \WP_Post && $post->post_status === 'publish') {
            self::touch($post, false);
        }
    }

    private static function filed($id, $terms, $ids, $taxonomy): void
    {
        $post = get_post((int) $id);
        if ($post !== null && $post->post_status === 'publish' && is_object_in_taxonomy($post, (string) $taxonomy)) {
            self::touch($post, false);
        }
    }

    private static function annotated($meta, $id, $key, $value): void
    {
        if ($key === '_wp_attachment_image_alt') {
            self::described((int) $id);
            return;
        }
        if ($key !== '_thumbnail_id' && $key !== self::META) {
            return;
        }
        $post = get_post((int) $id);
        if ($post !== null && $post->post_status === 'publish') {
            self::touch($post, false);
        }
    }

    /** An alternative text that is written later counts for the posts that show the image. */
    private static function described(int $attachment): void
    {
        $posts = get_posts([
            'post_type' => Settings::types(),
            'post_status' => 'publish',
            'meta_key' => '_thumbnail_id',
            'meta_value' => (string) $attachment,
            'numberposts' => 50,
            'suppress_filters' => true,
        ]);
        foreach ($posts as $post) {
            self::touch($post, false);
        }
    }

    private static function touch(\WP_Post $post, bool $fresh): void
    {
        if (Settings::gateway() === '') {
            return;
        }
        $is_selected = in_array($post->post_type, Settings::types(), true);
        // An import brings what was published long ago.
        $is_import = defined('WP_IMPORTING') && \WP_IMPORTING;
        if ((!$is_selected || $is_import) && !Queue::is_told($post->ID)) {
            return;
        }
        Queue::touch($post->ID, $fresh && !$is_import);
        if (self::$touched === []) {
            add_action('shutdown', self::finish(...), PHP_INT_MAX);
        }
        self::$touched[$post->ID] = [$post->post_type, $post->post_title];
    }

    /** At the end of a request that touched posts. */
    private static function finish(): void
    {
        // Whoever saved the post does not wait for the gateway, where PHP can end the answer first.
        if (!wp_doing_cron() && PHP_SAPI !== 'cli') {
            foreach (['fastcgi_finish_request', 'litespeed_finish_request'] as $finish) {
                if (function_exists($finish)) {
                    ignore_user_abort(true);
                    $finish();
                    break;
                }
            }
        }
        self::settle_all(array_keys(self::$touched));
        self::$touched = [];
        Sender::send_soon();
    }

    public static function settle_left_over(): void
    {
        self::settle_all(Queue::left_over(self::LEFT_OVER_MAX));
    }

    private static function settle_all(array $posts): void
    {
        foreach ($posts as $post) {
            try {
                self::settle($post);
            } catch (\Throwable $problem) {
                // It stays touched, and is looked at again within the hour.
                error_log("Heraut: post $post could not be read for the gateway: " . $problem->getMessage());
            }
        }
    }

    private static function settle(int $id): void
    {
        $row = Queue::post($id);
        if ($row === null || (int) $row->touched <= (int) $row->settled) {
            return;
        }
        // Another request may have written since this one read.
        clean_post_cache($id);
        Queue::settle($id, (int) $row->touched, self::event($id, $row));
    }

    /** What has to be told, if anything. */
    private static function event(int $id, object $row): ?array
    {
        $post = get_post($id);
        $wish = self::wish($id);
        $is_public = self::is_public($post);
        $is_told = (bool) $row->told;
        if ($is_told && (!$is_public || $wish === false)) {
            [$type, $title] = $post === null ? (self::$touched[$id] ?? ['post', '']) : [$post->post_type, $post->post_title];
            $subject = Event::subject($type, $id);
            $title = wp_strip_all_tags($title);
            return ['kind' => Event::RETRACT, 'title' => $title, 'subject' => $subject, 'data' => ['id' => (string) $id], 'digest' => ''];
        }
        if (!$is_public || !($is_told || ($wish ?? ($row->fresh && self::by_default($post))))) {
            return null;
        }
        $data = Event::data($post);
        $digest = Event::digest($data);
        if ($is_told && $digest === $row->digest) {
            return null;
        }
        $subject = Event::subject($post->post_type, $id);
        $kind = $is_told ? Event::UPDATE : Event::PUBLISH;
        return ['kind' => $kind, 'title' => (string) $data['title'], 'subject' => $subject, 'data' => $data, 'digest' => $digest];
    }

    /** Whether anybody may read it. */
    public static function is_public(?\WP_Post $post): bool
    {
        return $post !== null && $post->post_status === 'publish' && $post->post_password === '' && is_post_type_viewable($post->post_type);
    }

    /** What the editor chose for this post; null is no choice. */
    public static function wish(int $post): ?bool
    {
        return match (get_post_meta($post, self::META, true)) {
            '1' => true,
            '0' => false,
            default => null,
        };
    }

    /** Whether a post is told when nobody chose: it is of a chosen type, and of a chosen category if there are any. */
    public static function by_default(\WP_Post $post): bool
    {
        $settings = Settings::all();
        if (!$settings['default'] || !in_array($post->post_type, Settings::types(), true)) {
            return false;
        }
        $categories = array_map('intval', (array) $settings['categories']);
        if ($categories === [] || !is_object_in_taxonomy($post, 'category')) {
            return true;
        }
        $own = wp_get_post_categories($post->ID);
        foreach ($own as $category) {
            if (array_intersect([$category, ...get_ancestors($category, 'category', 'taxonomy')], $categories) !== []) {
                return true;
            }
        }
        return false;
    }
}
