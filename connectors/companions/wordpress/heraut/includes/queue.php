<?php

declare(strict_types=1);

namespace Heraut;

/**
 * What the gateway was told and what it still has to be told, in two tables of their own.
 *
 * `heraut_posts` has a line per post that concerns the gateway: whether something may have changed since it was last compared
 * (`touched` is above `settled`), whether the gateway was told that it is public, and a digest of what it was told.
 * `heraut_events` has a line per event: waiting, sent, replaced by a later one about the same post, or refused for its content.
 */
final class Queue
{
    public const WAITING = 'waiting';
    public const SENT = 'sent';
    public const REPLACED = 'replaced';
    public const REFUSED = 'refused';

    private const SCHEMA_OPTION = 'heraut_schema';
    private const SCHEMA = 1;

    /** First wait after a failure; each further one is twice as long. In seconds. */
    private const WAIT_MIN = 30;
    private const WAIT_MAX = DAY_IN_SECONDS;

    /** How long the log is kept, in seconds. What waits is kept until it was sent. */
    private const KEPT = 30 * DAY_IN_SECONDS;
    private const KEPT_REFUSED = 180 * DAY_IN_SECONDS;
    private const PRUNED_AT_ONCE = 5000;

    /** Longer than WordPress takes to save a post. */
    private const REQUEST_SECONDS_MAX = 10 * MINUTE_IN_SECONDS;

    private const ANSWER_CHARS_MAX = 2000;

    /** Makes or changes the tables when the plugin is new or was updated: also on each site of a network. */
    public static function prepare(): void
    {
        if ((int) get_option(self::SCHEMA_OPTION) === self::SCHEMA) {
            return;
        }
        global $wpdb;
        require_once ABSPATH . 'wp-admin/includes/upgrade.php';
        $collate = $wpdb->get_charset_collate();
        dbDelta('CREATE TABLE ' . self::posts() . " (
            post_id bigint(20) unsigned NOT NULL,
            touched bigint(20) unsigned NOT NULL DEFAULT 0,
            touched_at bigint(20) unsigned NOT NULL DEFAULT 0,
            settled bigint(20) unsigned NOT NULL DEFAULT 0,
            fresh tinyint(1) NOT NULL DEFAULT 0,
            told tinyint(1) NOT NULL DEFAULT 0,
            digest varchar(64) NOT NULL DEFAULT '',
            sequence bigint(20) unsigned NOT NULL DEFAULT 0,
            PRIMARY KEY  (post_id)
        ) $collate;");
        dbDelta('CREATE TABLE ' . self::events() . " (
            id bigint(20) unsigned NOT NULL AUTO_INCREMENT,
            event_id varchar(36) NOT NULL,
            post_id bigint(20) unsigned NOT NULL,
            kind varchar(10) NOT NULL,
            title varchar(200) NOT NULL DEFAULT '',
            state varchar(10) NOT NULL,
            body longtext NOT NULL,
            attempts int(10) unsigned NOT NULL DEFAULT 0,
            created_at bigint(20) unsigned NOT NULL,
            due_at bigint(20) unsigned NOT NULL,
            tried_at bigint(20) unsigned NOT NULL DEFAULT 0,
            status smallint(5) unsigned NOT NULL DEFAULT 0,
            answer text NOT NULL,
            PRIMARY KEY  (id),
            UNIQUE KEY event_id (event_id),
            KEY state_due (state,due_at),
            KEY post_state (post_id,state)
        ) $collate;");
        update_option(self::SCHEMA_OPTION, self::SCHEMA, true);
    }

    /** Notes that a post may have changed, before anything else is done: so that a request that breaks off loses nothing. */
    public static function touch(int $post, bool $fresh): void
    {
        global $wpdb;
        $wpdb->query($wpdb->prepare(
            'INSERT INTO ' . self::posts() . ' (post_id, touched, touched_at, fresh) VALUES (%d, 1, %d, %d)
             ON DUPLICATE KEY UPDATE touched = touched + 1, touched_at = VALUES(touched_at), fresh = GREATEST(fresh, VALUES(fresh))',
            $post,
            time(),
            (int) $fresh
        ));
    }

    /** The line of a post, or null. */
    public static function post(int $post): ?object
    {
        global $wpdb;
        return $wpdb->get_row($wpdb->prepare('SELECT * FROM ' . self::posts() . ' WHERE post_id = %d', $post));
    }

    public static function is_told(int $post): bool
    {
        return (bool) (self::post($post)->told ?? false);
    }

    /**
     * Posts that were touched in a request that did not get to comparing them. Not those of a request that may still be running: it
     * has perhaps saved the post, and not yet its terms, its image or that it must not be sent.
     */
    public static function left_over(int $limit): array
    {
        global $wpdb;
        $found = $wpdb->get_col($wpdb->prepare(
            'SELECT post_id FROM ' . self::posts() . ' WHERE touched > settled AND touched_at < %d ORDER BY post_id LIMIT %d',
            time() - self::REQUEST_SECONDS_MAX,
            $limit
        ));
        return array_map('intval', $found);
    }

    /**
     * Records the comparison of a post with what was told, and the event that came of it, as one. What waits of the same post is
     * replaced: a text that was corrected or withdrawn before the gateway had it never gets there.
     *
     * `$event` is null or {kind, title, subject, data, digest}. Answers false when another request has settled the same or a later
     * state already.
     */
    public static function settle(int $post, int $touched, ?array $event): bool
    {
        global $wpdb;
        $wpdb->query('START TRANSACTION');
        $row = $wpdb->get_row($wpdb->prepare('SELECT * FROM ' . self::posts() . ' WHERE post_id = %d FOR UPDATE', $post));
        if ($row === null || (int) $row->settled >= $touched) {
            $wpdb->query('ROLLBACK');
            return false;
        }
        $fresh = (int) $row->touched > $touched ? (int) $row->fresh : 0;
        $change = ['settled' => $touched, 'fresh' => $fresh];
        if ($event !== null) {
            $change += self::insert($row, $event);
        }
        $wpdb->update(self::posts(), $change, ['post_id' => $post]);
        return $wpdb->query('COMMIT') !== false;
    }

    private static function insert(object $row, array $event): array
    {
        global $wpdb;
        $post = (int) $row->post_id;
        $is_waiting = $wpdb->prepare('post_id = %d AND state = %s', $post, self::WAITING);
        $kinds = $wpdb->get_col('SELECT kind FROM ' . self::events() . " WHERE $is_waiting");
        $kind = $event['kind'] === Event::UPDATE && in_array(Event::PUBLISH, $kinds, true) ? Event::PUBLISH : $event['kind'];
        $wpdb->query('UPDATE ' . self::events() . $wpdb->prepare(' SET state = %s', self::REPLACED) . " WHERE $is_waiting");
        // Later than what was told before, also when the clock was set back.
        $sequence = max((int) $row->sequence + 1, (int) floor(microtime(true) * 1000));
        $id = wp_generate_uuid4();
        $body = Event::body($kind, $id, $event['subject'], $event['data'], $sequence);
        self::append($id, $post, $kind, $event['title'], $body);
        return ['told' => (int) ($kind !== Event::RETRACT), 'digest' => $event['digest'], 'sequence' => $sequence];
    }

    private static function append(string $id, int $post, string $kind, string $title, string $body): int
    {
        global $wpdb;
        $wpdb->insert(self::events(), [
            'event_id' => $id,
            'post_id' => $post,
            'kind' => $kind,
            'title' => mb_substr($title, 0, 200),
            'state' => self::WAITING,
            'body' => $body,
            'created_at' => time(),
            'due_at' => time(),
            'answer' => '',
        ]);
        return (int) $wpdb->insert_id;
    }

    /** A test, which is sent by hand and not repeated. */
    public static function append_test(string $id, string $body): int
    {
        return self::append($id, 0, Event::TEST, '', $body);
    }

    /** The oldest that is due. Of one post there is never more than one that waits, so the order of a post's events is kept. */
    public static function next(): ?object
    {
        global $wpdb;
        return $wpdb->get_row($wpdb->prepare(
            'SELECT * FROM ' . self::events() . ' WHERE state = %s AND due_at <= %d AND post_id > 0 ORDER BY id LIMIT 1',
            self::WAITING,
            time()
        ));
    }

    public static function event(int $id): ?object
    {
        global $wpdb;
        return $wpdb->get_row($wpdb->prepare('SELECT * FROM ' . self::events() . ' WHERE id = %d', $id));
    }

    /** The last event about a post, as the editor sees it. */
    public static function last_of(int $post): ?object
    {
        global $wpdb;
        return $wpdb->get_row($wpdb->prepare('SELECT * FROM ' . self::events() . ' WHERE post_id = %d ORDER BY id DESC LIMIT 1', $post));
    }

    public static function sent(object $event, int $status, string $answer): void
    {
        self::tried($event, self::SENT, $status, $answer, time());
    }

    public static function refused(object $event, int $status, string $answer): void
    {
        self::tried($event, self::REFUSED, $status, $answer, time());
    }

    /** Puts an event off, and all that wait with it: what hindered this one hinders them. */
    public static function failed(object $event, int $status, string $answer, int $retry_after): void
    {
        global $wpdb;
        /** The first wait after a failure, in seconds. */
        $first = max(1, (int) apply_filters('heraut_retry_seconds', self::WAIT_MIN));
        $wait = min($first * 2 ** min((int) $event->attempts, 20), self::WAIT_MAX);
        $due = time() + min(max($wait, $retry_after), self::WAIT_MAX);
        self::tried($event, self::WAITING, $status, $answer, $due);
        $wpdb->query($wpdb->prepare(
            'UPDATE ' . self::events() . ' SET due_at = GREATEST(due_at, %d) WHERE state = %s',
            $due,
            self::WAITING
        ));
    }

    private static function tried(object $event, string $state, int $status, string $answer, int $due): void
    {
        global $wpdb;
        $answer = mb_substr(wp_check_invalid_utf8($answer, true), 0, self::ANSWER_CHARS_MAX);
        // What was replaced while it was on its way stays replaced when it failed.
        $state_sql = $state === self::WAITING ? 'state' : $wpdb->prepare('%s', $state);
        $wpdb->query($wpdb->prepare(
            'UPDATE ' . self::events() . " SET state = $state_sql, attempts = attempts + 1, tried_at = %d, due_at = %d, status = %d,
             answer = %s WHERE id = %d",
            time(),
            $due,
            $status,
            $answer,
            $event->id
        ));
    }

    /** All that waits is due now. */
    public static function hurry(): void
    {
        global $wpdb;
        $wpdb->query($wpdb->prepare('UPDATE ' . self::events() . ' SET due_at = %d WHERE state = %s AND due_at > %d', time(), self::WAITING, time()));
    }

    /** Tries one event again that waits or was refused. One that was refused gets a new id: the old one stands for its refusal. */
    public static function retry(int $id): bool
    {
        global $wpdb;
        $event = self::event($id);
        if ($event === null || !in_array($event->state, [self::WAITING, self::REFUSED], true) || $event->kind === Event::TEST) {
            return false;
        }
        $change = ['state' => self::WAITING, 'due_at' => time()];
        if ($event->state === self::REFUSED) {
            $later = $wpdb->get_var($wpdb->prepare(
                'SELECT COUNT(*) FROM ' . self::events() . ' WHERE post_id = %d AND id > %d',
                $event->post_id,
                $event->id
            ));
            if ((int) $later > 0) {
                return false;
            }
            $body = json_decode($event->body, true);
            $body['id'] = wp_generate_uuid4();
            $change += ['event_id' => $body['id'], 'body' => Event::encode($body)];
        }
        return $wpdb->update(self::events(), $change, ['id' => $id]) !== false;
    }

    /** When something is due next, in seconds since 1970. */
    public static function next_due(): ?int
    {
        global $wpdb;
        $due = $wpdb->get_var($wpdb->prepare(
            'SELECT MIN(due_at) FROM ' . self::events() . ' WHERE state = %s AND post_id > 0',
            self::WAITING
        ));
        return $due === null ? null : (int) $due;
    }

    /** How many events are in each state, and since when the oldest waits. */
    public static function counts(): array
    {
        global $wpdb;
        $counts = array_fill_keys([self::WAITING, self::SENT, self::REPLACED, self::REFUSED], 0);
        foreach ($wpdb->get_results('SELECT state, COUNT(*) AS n FROM ' . self::events() . ' GROUP BY state') as $row) {
            $counts[$row->state] = (int) $row->n;
        }
        $oldest = $wpdb->get_var($wpdb->prepare('SELECT MIN(created_at) FROM ' . self::events() . ' WHERE state = %s', self::WAITING));
        return $counts + ['oldest' => $oldest === null ? null : (int) $oldest];
    }

    public static function page(int $page, int $size): array
    {
        global $wpdb;
        return $wpdb->get_results($wpdb->prepare(
            'SELECT * FROM ' . self::events() . ' ORDER BY id DESC LIMIT %d OFFSET %d',
            $size,
            ($page - 1) * $size
        ));
    }

    public static function prune(): void
    {
        global $wpdb;
        $kept = [self::SENT => self::KEPT, self::REPLACED => self::KEPT, self::REFUSED => self::KEPT_REFUSED];
        foreach ($kept as $state => $seconds) {
            $wpdb->query($wpdb->prepare(
                'DELETE FROM ' . self::events() . ' WHERE state = %s AND created_at < %d LIMIT %d',
                $state,
                time() - $seconds,
                self::PRUNED_AT_ONCE
            ));
        }
    }

    private static function posts(): string
    {
        return $GLOBALS['wpdb']->prefix . 'heraut_posts';
    }

    private static function events(): string
    {
        return $GLOBALS['wpdb']->prefix . 'heraut_events';
    }
}
