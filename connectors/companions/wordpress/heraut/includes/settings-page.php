<?php

declare(strict_types=1);

namespace Heraut;

/** Settings → Heraut. */
final class SettingsPage
{
    public const SLUG = 'heraut';
    private const GROUP = 'heraut';
    private const TEST = 'heraut_test';
    private const CAPABILITY = 'manage_options';

    public static function watch(): void
    {
        add_action('admin_init', static function (): void {
            register_setting(self::GROUP, Settings::OPTION, ['type' => 'array', 'sanitize_callback' => self::checked(...), 'show_in_rest' => false]);
        });
        add_action('update_option_' . Settings::OPTION, self::hurry(...));
        add_action('admin_menu', static function (): void {
            add_options_page(__('Heraut', 'heraut'), __('Heraut', 'heraut'), self::CAPABILITY, self::SLUG, self::page(...));
        });
        add_action('admin_post_' . self::TEST, self::test(...));
        add_filter('plugin_action_links_' . plugin_basename(FILE), static function (array $links): array {
            return ['settings' => sprintf('<a href="%s">%s</a>', esc_url(self::url()), esc_html__('Settings', 'heraut'))] + $links;
        });
    }

    public static function url(): string
    {
        return admin_url('options-general.php?page=' . self::SLUG);
    }

    /** What is stored of a form. WordPress may call this twice, the second time with its own result. */
    private static function checked($given): array
    {
        $given = is_array($given) ? $given : [];
        $old = Settings::all();
        $gateway = Settings::checked_gateway((string) ($given['gateway'] ?? $old['gateway']));
        if (is_wp_error($gateway)) {
            add_settings_error(self::GROUP, 'gateway', $gateway->get_error_message());
            $gateway = $old['gateway'];
        }
        self::check_secret($given);
        $source = sanitize_text_field((string) ($given['source'] ?? ''));
        if (preg_match('/\s/', $source)) {
            add_settings_error(self::GROUP, 'source', __('The name of this system must be a URN or an address, without spaces.', 'heraut'));
            $source = $old['source'];
        }
        $prefix = strtolower(sanitize_text_field((string) ($given['prefix'] ?? '')));
        if ($prefix !== '' && !preg_match('/^[a-z0-9]+([.-][a-z0-9]+)*$/', $prefix)) {
            add_settings_error(self::GROUP, 'prefix', __('The type of events may have small letters, digits, dots and hyphens.', 'heraut'));
            $prefix = $old['prefix'];
        }
        $creator = sanitize_text_field((string) ($given['creator'] ?? ''));
        if ($creator !== '' && !preg_match('/^@?[\w.-]+@[\w.-]+(:\d+)?$/u', $creator)) {
            add_settings_error(self::GROUP, 'creator', __('The handle must look like @news@social.example.nl.', 'heraut'));
            $creator = $old['creator'];
        }
        return [
            'gateway' => $gateway,
            'types' => array_values(array_intersect(array_map('strval', (array) ($given['types'] ?? [])), array_keys(Settings::possible_types()))),
            'categories' => array_values(array_filter(array_map('absint', (array) ($given['categories'] ?? [])))),
            'default' => !empty($given['default']),
            'source' => $source,
            'prefix' => $prefix,
            'actor' => sanitize_url((string) ($given['actor'] ?? ''), ['http', 'https']),
            'creator' => $creator === '' ? '' : '@' . ltrim($creator, '@'),
        ];
    }

    private static function check_secret(array $given): void
    {
        if (!empty($given['forget_secret'])) {
            Settings::store_secret('');
            return;
        }
        $secret = trim((string) ($given['new_secret'] ?? ''));
        if ($secret === '') {
            return;
        }
        if (Signature::key($secret) === null) {
            $problem = __('The secret was not stored: it must begin with whsec_, followed by 24 to 64 bytes in base64. Copy it from where the gateway shows it.', 'heraut');
            add_settings_error(self::GROUP, 'secret', $problem);
            return;
        }
        Settings::store_secret($secret);
        self::hurry();
    }

    /** What waited for the right settings goes out. */
    private static function hurry(): void
    {
        Queue::hurry();
        Sender::schedule();
    }

    private static function test(): void
    {
        if (!current_user_can(self::CAPABILITY)) {
            wp_die(esc_html__('You may not do this.', 'heraut'), '', ['response' => 403]);
        }
        check_admin_referer(self::TEST);
        $event = Sender::test();
        set_transient('heraut_test_' . get_current_user_id(), (int) $event->id, 5 * MINUTE_IN_SECONDS);
        wp_safe_redirect(self::url() . '#heraut-test');
        exit;
    }

    private static function page(): void
    {
        if (!current_user_can(self::CAPABILITY)) {
            return;
        }
        $settings = Settings::all();
        echo '<div class="wrap"><h1>', esc_html__('Heraut', 'heraut'), '</h1>';
        printf(
            '<p>%s <a href="%s">%s</a></p>',
            esc_html__('What you publish, change or withdraw here is told to the Heraut gateway, which brings it to followers on the fediverse.', 'heraut'),
            esc_url(LogPage::url()),
            esc_html__('What was sent', 'heraut')
        );
        echo '<form method="post" action="', esc_url(admin_url('options.php')), '" autocomplete="off">';
        settings_fields(self::GROUP);
        echo '<h2>', esc_html__('Gateway', 'heraut'), '</h2><table class="form-table" role="presentation">';
        self::gateway_rows($settings);
        echo '</table><h2>', esc_html__('What is sent', 'heraut'), '</h2><table class="form-table" role="presentation">';
        self::choice_rows($settings);
        echo '</table><h2>', esc_html__('Who it is from', 'heraut'), '</h2><table class="form-table" role="presentation">';
        self::text_row('actor', 'url', __('Page of the actor', 'heraut'), $settings['actor'], 'https://social.example.nl/@nieuws', __('Adds a link with rel="me" to every page, by which others see that the account is yours.', 'heraut'));
        self::text_row('creator', 'text', __('Handle', 'heraut'), $settings['creator'], '@nieuws@social.example.nl', __('Adds the tag fediverse:creator to posts: when somebody shares the address, the account is named.', 'heraut'));
        echo '</table><h2>', esc_html__('Rarely needed', 'heraut'), '</h2><table class="form-table" role="presentation">';
        self::text_row('source', 'text', __('Name of this system', 'heraut'), $settings['source'], home_url('/'), __('The source of events. In the Netherlands a URN with your OIN: urn:nld:oin:…:systeem:website', 'heraut'));
        self::text_row('prefix', 'text', __('Type of events', 'heraut'), $settings['prefix'], Settings::prefix(), __('Comes before -gepubliceerd, -gewijzigd and -ingetrokken.', 'heraut'));
        echo '</table>';
        submit_button();
        echo '</form>';
        self::test_form();
        echo '</div>';
    }

    private static function gateway_rows(array $settings): void
    {
        $is_fixed = defined('HERAUT_GATEWAY');
        $help = $is_fixed
            ? __('Set in wp-config.php by HERAUT_GATEWAY.', 'heraut')
            : __('As “heraut source add” or “heraut source show” prints it. It ends in /hooks/ and the name of the source.', 'heraut');
        self::text_row('gateway', 'url', __('URL', 'heraut'), Settings::gateway(), 'https://social.example.nl/hooks/website', $help, $is_fixed);

        echo '<tr><th scope="row"><label for="heraut-secret">', esc_html__('Secret', 'heraut'), '</label></th><td>';
        if (defined('HERAUT_SECRET')) {
            echo '<p class="description">', esc_html__('Set in wp-config.php by HERAUT_SECRET.', 'heraut'), '</p></td></tr>';
            return;
        }
        $is_set = Settings::secret() !== '';
        printf(
            '<input type="password" id="heraut-secret" name="heraut[new_secret]" value="" class="regular-text code" autocomplete="new-password" spellcheck="false" placeholder="%s" aria-describedby="heraut-secret-help">',
            esc_attr($is_set ? '••••••••••••' : 'whsec_…')
        );
        $help = $is_set ? __('A secret is stored. It is never shown; leave this empty to keep it.', 'heraut') : __('The same as at the gateway; begins with whsec_.', 'heraut');
        echo '<p class="description" id="heraut-secret-help">', esc_html($help), '</p>';
        if ($is_set) {
            echo '<label><input type="checkbox" name="heraut[forget_secret]" value="1"> ', esc_html__('Remove the secret', 'heraut'), '</label>';
        }
        echo '</td></tr>';
    }

    private static function choice_rows(array $settings): void
    {
        echo '<tr><th scope="row">', esc_html__('Types', 'heraut'), '</th><td><fieldset><legend class="screen-reader-text">', esc_html__('Types', 'heraut'), '</legend>';
        foreach (Settings::possible_types() as $name => $type) {
            printf(
                '<label><input type="checkbox" name="heraut[types][]" value="%s" %s> %s</label><br>',
                esc_attr($name),
                checked(in_array($name, $settings['types'], true), true, false),
                esc_html($type->labels->name)
            );
        }
        echo '</fieldset></td></tr><tr><th scope="row">', esc_html__('Categories', 'heraut'), '</th><td><fieldset><legend class="screen-reader-text">', esc_html__('Categories', 'heraut'), '</legend>';
        foreach (get_categories(['hide_empty' => false, 'number' => 500]) as $category) {
            printf(
                '<label><input type="checkbox" name="heraut[categories][]" value="%d" %s> %s</label><br>',
                (int) $category->term_id,
                checked(in_array($category->term_id, $settings['categories'], true), true, false),
                esc_html($category->name)
            );
        }
        echo '</fieldset><p class="description">', esc_html__('None ticked is all. Categories below a ticked one count too.', 'heraut'), '</p></td></tr>';
        echo '<tr><th scope="row">', esc_html__('New posts', 'heraut'), '</th><td>';
        printf(
            '<label><input type="checkbox" name="heraut[default]" value="1" %s> %s</label><p class="description">%s</p></td></tr>',
            checked($settings['default'], true, false),
            esc_html__('The box “Send to the fediverse” is ticked from the start', 'heraut'),
            esc_html__('The editor can change it per post. What was public before this plugin was switched on is only sent when somebody ticks its box.', 'heraut')
        );
    }

    private static function text_row(string $name, string $type, string $label, string $value, string $hint, string $help, bool $is_fixed = false): void
    {
        printf(
            '<tr><th scope="row"><label for="heraut-%1$s">%2$s</label></th><td>
             <input type="%3$s" id="heraut-%1$s" name="heraut[%1$s]" value="%4$s" placeholder="%5$s" class="regular-text code" aria-describedby="heraut-%1$s-help" %6$s>
             <p class="description" id="heraut-%1$s-help">%7$s</p></td></tr>',
            esc_attr($name),
            esc_html($label),
            esc_attr($type),
            esc_attr($value),
            esc_attr($hint),
            disabled($is_fixed, true, false),
            esc_html($help)
        );
    }

    private static function test_form(): void
    {
        echo '<h2 id="heraut-test">', esc_html__('Test', 'heraut'), '</h2><p>', esc_html__('Sends a signed test event with the settings as they are stored. The gateway acknowledges it and publishes nothing.', 'heraut'), '</p>';
        $key = 'heraut_test_' . get_current_user_id();
        $event = Queue::event((int) get_transient($key));
        delete_transient($key);
        if ($event !== null) {
            $is_good = $event->state === Queue::SENT;
            printf(
                '<div class="notice notice-%s inline"><p>%s</p><pre style="white-space:pre-wrap;overflow-wrap:anywhere">%s</pre></div>',
                $is_good ? 'success' : 'error',
                esc_html(LogPage::sentence($event)),
                esc_html($event->answer)
            );
            if ((int) $event->status === 401) {
                echo '<p>', esc_html__('401 means: the secret here and the secret at the gateway are not the same, or a clock is wrong.', 'heraut'), '</p>';
            }
        }
        echo '<form method="post" action="', esc_url(admin_url('admin-post.php')), '"><input type="hidden" name="action" value="', esc_attr(self::TEST), '">';
        wp_nonce_field(self::TEST);
        submit_button(__('Send a test', 'heraut'), 'secondary', 'submit', false);
        echo '</form>';
    }
}
