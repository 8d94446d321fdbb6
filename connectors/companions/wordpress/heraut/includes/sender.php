<?php

declare(strict_types=1);

namespace Heraut;

/** Brings events to the gateway: one at a time, in order, until each is accepted. */
final class Sender
{
    /** When something is due. */
    public const SEND = 'heraut_send';
    /** Every hour, in case that a schedule was lost; also removes what is old. */
    public const TICK = 'heraut_tick';

    private const LOCK = 'heraut_lock';
    /** When the gateway could last not be reached: then no editor waits for it. */
    private const FAILED_AT = 'heraut_failed_at';
    private const FAILED_FOR = 60;

    /** While an editor may be waiting, and in the background; in seconds. */
    private const TIMEOUT_SOON = 5;
    private const BUDGET_SOON = 8;
    private const TIMEOUT = 20;
    private const BUDGET = 40;

    private const ANSWER_BYTES_MAX = 16 * 1024;

    /** Answers to which the same request gets the same answer again: its content is not taken. */
    private const REFUSALS = [400, 409, 413, 415, 422];

    public static function watch(): void
    {
        add_action(self::SEND, self::work(...));
        add_action(self::TICK, self::tick(...));
        add_action('init', static function (): void {
            if (Settings::gateway() !== '' && !wp_next_scheduled(self::TICK)) {
                wp_schedule_event(time() + HOUR_IN_SECONDS, 'hourly', self::TICK);
            }
        });
    }

    /** At the end of the request that made the event. */
    public static function send_soon(): void
    {
        // First of all the schedule: what follows can break off.
        self::schedule();
        if (time() - (int) get_option(self::FAILED_AT) >= self::FAILED_FOR) {
            self::run(self::BUDGET_SOON, self::TIMEOUT_SOON);
        }
    }

    private static function work(): void
    {
        Changes::settle_left_over();
        self::run(self::BUDGET, self::TIMEOUT);
    }

    private static function tick(): void
    {
        Queue::prune();
        self::work();
    }

    /** Sends what is due, for so many seconds. */
    public static function run(int $budget, int $timeout): void
    {
        $token = self::lock($timeout);
        if ($token === null) {
            // Whoever holds the lock may have looked before the newest event was there.
            self::schedule(MINUTE_IN_SECONDS);
            return;
        }
        try {
            $until = time() + $budget;
            while (time() < $until && self::extend($token, $timeout) && ($event = Queue::next()) !== null) {
                if (!self::send($event, $timeout)) {
                    break;
                }
            }
        } finally {
            self::unlock($token);
            self::schedule();
        }
    }

    /** Whether the gateway is there: then the next may follow. */
    private static function send(object $event, int $timeout): bool
    {
        [$status, $answer, $retry_after] = self::post($event->event_id, $event->body, $timeout);
        if ($status >= 200 && $status < 300) {
            Queue::sent($event, $status, $answer);
            if ((int) get_option(self::FAILED_AT) !== 0) {
                delete_option(self::FAILED_AT);
                Queue::hurry();
            }
            return true;
        }
        if (in_array($status, self::REFUSALS, true)) {
            Queue::refused($event, $status, $answer);
            return true;
        }
        // All else can become good, 410 too: the event waits.
        Queue::failed($event, $status, $answer, $retry_after);
        update_option(self::FAILED_AT, time(), false);
        return false;
    }

    /** Sends a test at once, and answers with its line in the log. */
    public static function test(): object
    {
        $id = wp_generate_uuid4();
        $body = Event::body(Event::TEST, $id, 'test', null, null);
        $event = Queue::event(Queue::append_test($id, $body));
        [$status, $answer] = self::post($id, $body, self::TIMEOUT);
        if ($status >= 200 && $status < 300) {
            Queue::sent($event, $status, $answer);
            delete_option(self::FAILED_AT);
            Queue::hurry();
            self::schedule();
        } else {
            Queue::refused($event, $status, $answer);
        }
        return Queue::event((int) $event->id);
    }

    /** Status (0 without an answer), what was answered, and after how many seconds to come back. */
    private static function post(string $id, string $body, int $timeout): array
    {
        $url = Settings::gateway();
        $key = Signature::key(Settings::secret());
        if ($url === '' || $key === null) {
            return [0, __('The gateway URL or the secret is not set.', 'heraut'), 0];
        }
        $response = wp_remote_post($url, [
            'timeout' => $timeout,
            'redirection' => 0,
            'httpversion' => '1.1',
            'limit_response_size' => self::ANSWER_BYTES_MAX,
            'user-agent' => 'Heraut-WordPress/' . VERSION,
            'headers' => ['content-type' => 'application/cloudevents+json; charset=utf-8', 'accept' => 'application/json']
                + Signature::headers($key, $id, time(), $body),
            'body' => $body,
        ]);
        if (is_wp_error($response)) {
            return [0, $response->get_error_message(), 0];
        }
        $retry_after = (string) wp_remote_retrieve_header($response, 'retry-after');
        $seconds = ctype_digit($retry_after) ? (int) $retry_after : max(0, (int) strtotime($retry_after) - time());
        return [(int) wp_remote_retrieve_response_code($response), wp_remote_retrieve_body($response), $seconds];
    }

    /** Lets WordPress wake the worker when the next event is due. */
    public static function schedule(int $not_within = 0): void
    {
        $due = Queue::next_due();
        $scheduled = wp_next_scheduled(self::SEND);
        if ($due !== null) {
            wp_clear_scheduled_hook(self::SEND);
            wp_schedule_single_event(max($due, time() + $not_within), self::SEND);
        } elseif ($due === null && $scheduled !== false) {
            wp_clear_scheduled_hook(self::SEND);
        }
    }

    /** One worker at a time, over all web servers of a site. The lock ends by itself when its holder dies. */
    private static function lock(int $timeout): ?string
    {
        global $wpdb;
        $wpdb->query($wpdb->prepare("INSERT IGNORE INTO {$wpdb->options} (option_name, option_value, autoload) VALUES (%s, '0', 'no')", self::LOCK));
        $token = self::lease($timeout) . '|' . wp_generate_uuid4();
        $taken = $wpdb->query($wpdb->prepare(
            "UPDATE {$wpdb->options} SET option_value = %s
             WHERE option_name = %s AND CAST(SUBSTRING_INDEX(option_value, '|', 1) AS UNSIGNED) < %d",
            $token,
            self::LOCK,
            time()
        ));
        return $taken === 1 ? $token : null;
    }

    private static function extend(string &$token, int $timeout): bool
    {
        global $wpdb;
        $next = self::lease($timeout) . '|' . wp_generate_uuid4();
        $held = $wpdb->query($wpdb->prepare(
            "UPDATE {$wpdb->options} SET option_value = %s WHERE option_name = %s AND option_value = %s",
            $next,
            self::LOCK,
            $token
        ));
        $token = $next;
        return $held === 1;
    }

    private static function unlock(string $token): void
    {
        global $wpdb;
        $wpdb->query($wpdb->prepare(
            "UPDATE {$wpdb->options} SET option_value = '0' WHERE option_name = %s AND option_value = %s",
            self::LOCK,
            $token
        ));
    }

    /** Longer than one request can take. */
    private static function lease(int $timeout): int
    {
        return time() + $timeout + 30;
    }
}
