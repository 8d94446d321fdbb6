<?php

declare(strict_types=1);

namespace Heraut;

/** Tools → Heraut log: what was sent when, and what was answered. */
final class LogPage
{
    private const SLUG = 'heraut-log';
    private const RETRY = 'heraut_retry';
    private const CAPABILITY = 'edit_others_posts';
    private const LINES = 50;
    /** After how long something that waits is shown on every page of the administration, in seconds. */
    private const WAITS_LONG = HOUR_IN_SECONDS;

    public static function watch(): void
    {
        add_action('admin_menu', static function (): void {
            add_management_page(__('Heraut log', 'heraut'), __('Heraut log', 'heraut'), self::CAPABILITY, self::SLUG, self::page(...));
        });
        add_action('admin_post_' . self::RETRY, self::retry(...));
        add_action('admin_notices', self::notice(...));
    }

    public static function url(): string
    {
        return admin_url('tools.php?page=' . self::SLUG);
    }

    /** One event, in one sentence. */
    public static function sentence(object $event): string
    {
        $kind = self::kind($event->kind);
        $status = (int) $event->status;
        /* translators: %d: number of an HTTP status */
        $answer = $status === 0 ? __('no answer', 'heraut') : sprintf(__('the gateway answered %d', 'heraut'), $status);
        $when = $event->tried_at > 0 ? wp_date('Y-m-d H:i:s', (int) $event->tried_at) : '';
        return match ($event->state) {
            /* translators: 1: what was sent, 2: time, 3: what was answered */
            Queue::SENT => sprintf(__('%1$s: sent %2$s, %3$s.', 'heraut'), $kind, $when, $answer),
            /* translators: 1: what was sent, 2: time, 3: what was answered */
            Queue::REFUSED => sprintf(__('%1$s: not accepted %2$s, %3$s.', 'heraut'), $kind, $when, $answer),
            /* translators: %s: what was to be sent */
            Queue::REPLACED => sprintf(__('%s: not sent, because a later state of the post took its place.', 'heraut'), $kind),
            default => $when === ''
                /* translators: %s: what is to be sent */
                ? sprintf(__('%s: waits to be sent.', 'heraut'), $kind)
                /* translators: 1: what is to be sent, 2: what was answered, 3: number of tries, 4: time */
                : sprintf(__('%1$s: %2$s after %3$d tries; again at %4$s.', 'heraut'), $kind, $answer, $event->attempts, wp_date('Y-m-d H:i:s', (int) $event->due_at)),
        };
    }

    private static function kind(string $kind): string
    {
        return match ($kind) {
            Event::PUBLISH => __('Publication', 'heraut'),
            Event::UPDATE => __('Change', 'heraut'),
            Event::RETRACT => __('Withdrawal', 'heraut'),
            default => __('Test', 'heraut'),
        };
    }

    private static function notice(): void
    {
        if (!current_user_can(self::CAPABILITY) || Settings::gateway() === '') {
            return;
        }
        $counts = Queue::counts();
        $waits_long = $counts['oldest'] !== null && time() - $counts['oldest'] > self::WAITS_LONG;
        if ($waits_long) {
            printf(
                '<div class="notice notice-warning"><p>%s <a href="%s">%s</a></p></div>',
                esc_html__('What was published here has not reached the fediverse for over an hour: the Heraut gateway does not accept it.', 'heraut'),
                esc_url(self::url()),
                esc_html__('See why', 'heraut')
            );
        }
    }

    private static function retry(): void
    {
        if (!current_user_can(self::CAPABILITY)) {
            wp_die(esc_html__('You may not do this.', 'heraut'), '', ['response' => 403]);
        }
        check_admin_referer(self::RETRY);
        $id = isset($_POST['event']) ? absint($_POST['event']) : 0;
        if ($id > 0) {
            Queue::retry($id);
        } else {
            Queue::hurry();
        }
        Sender::run(20, 10);
        wp_safe_redirect(self::url());
        exit;
    }

    private static function page(): void
    {
        if (!current_user_can(self::CAPABILITY)) {
            return;
        }
        $page = max(1, absint($_GET['paged'] ?? 1)); // phpcs:ignore WordPress.Security.NonceVerification -- only reads
        $counts = Queue::counts();
        $total = $counts[Queue::WAITING] + $counts[Queue::SENT] + $counts[Queue::REPLACED] + $counts[Queue::REFUSED];
        echo '<div class="wrap"><h1>', esc_html__('Heraut log', 'heraut'), '</h1><p>';
        /* translators: 1, 2, 3: numbers */
        echo esc_html(sprintf(__('Waiting: %1$d. Sent: %2$d. Not accepted: %3$d.', 'heraut'), $counts[Queue::WAITING], $counts[Queue::SENT], $counts[Queue::REFUSED]));
        echo ' ', esc_html__('What was sent is kept for 30 days, what was not accepted for 180; what waits is kept until it was sent.', 'heraut'), '</p>';
        if ($counts[Queue::WAITING] > 0) {
            self::button(0, __('Try all that waits now', 'heraut'));
        }
        echo '<table class="widefat striped" style="margin-top:1em"><thead><tr>';
        foreach ([__('Made', 'heraut'), __('Post', 'heraut'), __('What', 'heraut'), __('State', 'heraut'), __('Tries', 'heraut'), __('Last try and answer', 'heraut')] as $name) {
            echo '<th scope="col">', esc_html($name), '</th>';
        }
        echo '</tr></thead><tbody>';
        $lines = Queue::page($page, self::LINES);
        foreach ($lines as $event) {
            self::line($event);
        }
        if ($lines === []) {
            echo '<tr><td colspan="6">', esc_html__('Nothing was sent yet.', 'heraut'), '</td></tr>';
        }
        echo '</tbody></table>';
        if ($total > self::LINES) {
            $links = paginate_links(['base' => add_query_arg('paged', '%#%', self::url()), 'format' => '', 'current' => $page, 'total' => (int) ceil($total / self::LINES)]);
            echo '<div class="tablenav"><div class="tablenav-pages">', wp_kses_post((string) $links), '</div></div>';
        }
        echo '</div>';
    }

    private static function line(object $event): void
    {
        $states = [
            Queue::WAITING => __('Waiting', 'heraut'),
            Queue::SENT => __('Sent', 'heraut'),
            Queue::REPLACED => __('Replaced', 'heraut'),
            Queue::REFUSED => __('Not accepted', 'heraut'),
        ];
        echo '<tr><td style="white-space:nowrap">', esc_html(wp_date('Y-m-d H:i:s', (int) $event->created_at)), '</td><td>';
        $link = $event->post_id > 0 ? get_edit_post_link((int) $event->post_id) : null;
        $title = $event->title !== '' ? $event->title : ($event->post_id > 0 ? '#' . $event->post_id : '—');
        echo $link ? sprintf('<a href="%s">%s</a>', esc_url($link), esc_html($title)) : esc_html($title);
        echo '</td><td>', esc_html(self::kind($event->kind)), '</td><td><strong>', esc_html($states[$event->state] ?? $event->state), '</strong>';
        if ($event->state === Queue::WAITING && (int) $event->due_at > time()) {
            /* translators: %s: time */
            echo '<br>', esc_html(sprintf(__('again at %s', 'heraut'), wp_date('Y-m-d H:i:s', (int) $event->due_at)));
        }
        if ($event->kind !== Event::TEST && in_array($event->state, [Queue::WAITING, Queue::REFUSED], true)) {
            self::button((int) $event->id, __('Try again now', 'heraut'));
        }
        echo '</td><td>', (int) $event->attempts, '</td><td style="overflow-wrap:anywhere;width:50%">';
        if ($event->tried_at > 0) {
            echo esc_html(wp_date('Y-m-d H:i:s', (int) $event->tried_at)), ' ', $event->status > 0 ? '<strong>' . (int) $event->status . '</strong>' : '', '<br>';
            echo esc_html(mb_substr($event->answer, 0, 500));
        }
        $body = json_decode($event->body, true);
        $pretty = wp_json_encode($body, JSON_PRETTY_PRINT | JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE);
        printf(
            '<details><summary>%s</summary><pre style="white-space:pre-wrap;overflow-wrap:anywhere">%s</pre></details></td></tr>',
            esc_html__('What is in it', 'heraut'),
            esc_html((string) $pretty)
        );
    }

    private static function button(int $event, string $label): void
    {
        echo '<form method="post" action="', esc_url(admin_url('admin-post.php')), '"><input type="hidden" name="action" value="', esc_attr(self::RETRY), '">';
        printf('<input type="hidden" name="event" value="%d">', (int) $event);
        wp_nonce_field(self::RETRY, '_wpnonce', true);
        submit_button($label, 'small', 'submit', false, ['id' => "heraut-retry-$event"]);
        echo '</form>';
    }
}
