<?php

declare(strict_types=1);

namespace Heraut;

/** The box and the preview beside a post: a panel in the block editor, a meta box in the classic one. */
final class Editor
{
    private const FIELD = 'heraut_send';
    private const NONCE = 'heraut_post';

    public static function watch(): void
    {
        add_action('rest_api_init', self::routes(...));
        add_action('enqueue_block_editor_assets', self::block_assets(...));
        add_action('add_meta_boxes', self::boxes(...), 10, 2);
        add_action('save_post', self::save(...), 10, 2);
    }

    private static function routes(): void
    {
        // A field of its own, and not a meta field: those are there only for types that support them, and everybody reads them.
        register_rest_field(Settings::types(), self::FIELD, [
            'get_callback' => static fn (array $post): string => (string) get_post_meta((int) $post['id'], Changes::META, true),
            'update_callback' => static function ($value, \WP_Post $post): void {
                if (current_user_can('edit_post', $post->ID)) {
                    self::choose($post->ID, (string) $value);
                }
            },
            'schema' => ['type' => 'string', 'enum' => ['', '0', '1'], 'context' => ['edit']],
        ]);
        register_rest_route('heraut/v1', '/preview/(?P<id>\d+)', [
            'methods' => 'POST',
            'callback' => self::preview(...),
            'permission_callback' => static fn (\WP_REST_Request $request): bool => current_user_can('edit_post', (int) $request['id']),
            'args' => [
                'id' => ['type' => 'integer', 'required' => true],
                'title' => ['type' => 'string'],
                'content' => ['type' => 'string'],
                'excerpt' => ['type' => 'string'],
                'featured' => ['type' => 'integer'],
                'send' => ['type' => 'string', 'enum' => ['', '0', '1']],
            ],
        ]);
    }

    private static function choose(int $post, string $value): void
    {
        if (in_array($value, ['0', '1'], true)) {
            update_post_meta($post, Changes::META, $value);
        } elseif ($value === '') {
            delete_post_meta($post, Changes::META);
        }
    }

    /** What would be sent of a post as it stands in the editor. */
    private static function preview(\WP_REST_Request $request): \WP_REST_Response|\WP_Error
    {
        $post = get_post((int) $request['id']);
        if ($post === null || !in_array($post->post_type, Settings::types(), true)) {
            return new \WP_Error('heraut_no_post', __('There is no such post, or posts of its type are not told to the gateway.', 'heraut'), ['status' => 404]);
        }
        $edited = clone $post;
        foreach (['title' => 'post_title', 'content' => 'post_content', 'excerpt' => 'post_excerpt'] as $name => $field) {
            if (isset($request[$name])) {
                $edited->$field = (string) $request[$name];
            }
        }
        $data = Event::data($edited, isset($request['featured']) ? (int) $request['featured'] : null);
        $wish = match ((string) ($request['send'] ?? '')) {
            '1' => true,
            '0' => false,
            default => Changes::wish($post->ID),
        };
        return new \WP_REST_Response([
            'note' => Event::note($data),
            'media' => $data['media'],
            'language' => $data['language'],
            'says' => self::says($post, $wish),
        ]);
    }

    /** In one sentence, what will happen. */
    private static function says(\WP_Post $post, ?bool $wish): string
    {
        if (Settings::gateway() === '' || Signature::key(Settings::secret()) === null) {
            return __('Nothing is sent: the gateway URL or the secret is not set.', 'heraut');
        }
        if (Queue::is_told($post->ID)) {
            return $wish === false
                ? __('When you save, this is withdrawn from the fediverse.', 'heraut')
                : __('This was sent. When you save, a change follows as an edit.', 'heraut');
        }
        $is_wanted = $wish ?? self::is_default($post);
        if (!$is_wanted) {
            return __('This is not sent: the box is not ticked, or the post is in none of the chosen categories.', 'heraut');
        }
        return match (true) {
            $post->post_password !== '' => __('This is not sent as long as it needs a password.', 'heraut'),
            $post->post_status === 'publish' => __('This is sent when you save.', 'heraut'),
            $post->post_status === 'future' => __('This is sent at the moment for which it is scheduled.', 'heraut'),
            default => __('This is sent when you publish it.', 'heraut'),
        };
    }

    /** Whether the box is ticked when nobody chose: not on what was public before the plugin saw it. */
    private static function is_default(\WP_Post $post): bool
    {
        return $post->post_status !== 'publish' && Changes::by_default($post);
    }

    private static function is_ticked(\WP_Post $post): bool
    {
        return Changes::wish($post->ID) ?? (Queue::is_told($post->ID) || self::is_default($post));
    }

    /** The last that happened to this post, in one sentence. */
    private static function history(int $post): string
    {
        $event = Queue::last_of($post);
        return $event === null ? '' : LogPage::sentence($event);
    }

    private static function block_assets(): void
    {
        $post = get_post();
        if ($post === null || !in_array($post->post_type, Settings::types(), true)) {
            return;
        }
        self::script(['wp-plugins', 'wp-edit-post', 'wp-editor', 'wp-element', 'wp-components', 'wp-data', 'wp-api-fetch'], $post);
    }

    private static function script(array $dependencies, \WP_Post $post): void
    {
        wp_enqueue_script('heraut-editor', plugins_url('assets/editor.js', FILE), $dependencies, VERSION, true);
        $told = [
            'field' => self::FIELD,
            'post' => $post->ID,
            'route' => '/heraut/v1/preview/' . $post->ID,
            'ticked' => self::is_ticked($post),
            'history' => self::history($post->ID),
            'text' => [
                'title' => __('Fediverse', 'heraut'),
                'box' => __('Send to the fediverse', 'heraut'),
                'help' => __('Unticking it after publication withdraws what was sent.', 'heraut'),
                'preview' => __('Preview the note', 'heraut'),
                'busy' => __('One moment…', 'heraut'),
                'about' => __('About so; the gateway has a template of its own. Language:', 'heraut'),
                'no_alt' => __('An image has no alternative text: the gateway leaves it out, or holds the post back.', 'heraut'),
            ],
        ];
        wp_add_inline_script('heraut-editor', 'window.herautEditor = ' . wp_json_encode($told, JSON_HEX_TAG | JSON_HEX_AMP) . ';', 'before');
    }

    private static function boxes($type, $post): void
    {
        if (in_array($type, Settings::types(), true)) {
            $flags = ['__back_compat_meta_box' => true]; // the block editor has the panel instead
            add_meta_box('heraut', __('Fediverse', 'heraut'), self::box(...), $type, 'side', 'default', $flags);
        }
    }

    private static function box(\WP_Post $post): void
    {
        $ticked = self::is_ticked($post);
        self::script(['wp-api-fetch'], $post);
        wp_nonce_field(self::NONCE, 'heraut_nonce', false);
        printf('<input type="hidden" name="heraut_shown" value="%d">', (int) $ticked);
        printf(
            '<p><label><input type="checkbox" name="heraut_send" id="heraut-send" value="1" %s> %s</label><br><span class="description">%s</span></p>',
            checked($ticked, true, false),
            esc_html__('Send to the fediverse', 'heraut'),
            esc_html__('Unticking it after publication withdraws what was sent.', 'heraut')
        );
        printf('<p><button type="button" class="button" id="heraut-preview">%s</button></p>', esc_html__('Preview the note', 'heraut'));
        echo '<div id="heraut-preview-here" aria-live="polite"></div>';
        printf('<p>%s</p>', esc_html(self::history($post->ID)));
    }

    /** From the classic editor. Quick and bulk edits, imports and autosaves have no box, and change nothing about it. */
    private static function save($id, $post): void
    {
        $nonce = isset($_POST['heraut_nonce']) ? sanitize_text_field(wp_unslash($_POST['heraut_nonce'])) : '';
        if (wp_is_post_revision($id) || wp_is_post_autosave($id) || !wp_verify_nonce($nonce, self::NONCE) || !current_user_can('edit_post', $id)) {
            return;
        }
        // The form is about one post, and saving it can save others.
        if ((int) ($_POST['post_ID'] ?? 0) !== (int) $id) {
            return;
        }
        $ticked = isset($_POST['heraut_send']);
        // As long as nobody touches the box, the default holds.
        if ($ticked !== (($_POST['heraut_shown'] ?? '') === '1')) {
            self::choose((int) $id, $ticked ? '1' : '0');
        }
    }
}
