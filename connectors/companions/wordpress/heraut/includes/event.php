<?php

declare(strict_types=1);

namespace Heraut;

/** A post as the gateway reads it: CloudEvents 1.0 in JSON. */
final class Event
{
    public const PUBLISH = 'publish';
    public const UPDATE = 'update';
    public const RETRACT = 'retract';
    public const TEST = 'test';

    /** How the type of an event ends. */
    private const SUFFIXES = [
        self::PUBLISH => '-gepubliceerd',
        self::UPDATE => '-gewijzigd',
        self::RETRACT => '-ingetrokken',
        self::TEST => '.test',
    ];

    /** Largest body that is sent, in bytes; the gateway takes 256 KiB. */
    private const BODY_BYTES_MAX = 240 * 1024;
    /** Most words that are kept of a text that makes the body too large: far more than fits in a note. */
    private const WORDS_MAX = 2000;
    /** Most images; the gateway keeps as many. */
    private const IMAGES_MAX = 16;
    /** Most tags. */
    private const TAGS_MAX = 50;

    /** An image that is written into the page: what stands there until the true one is loaded. */
    private const PLACEHOLDER = '#<img\b[^>]*\ssrc\s*=\s*["\']?\s*data:[^>]*>#i';

    /** What of the rendered text is sent. Classes and styles say nothing elsewhere, and some change with every rendering. */
    private const HTML = [
        'a' => ['href' => true, 'hreflang' => true],
        'abbr' => ['title' => true], 'b' => [], 'blockquote' => [], 'br' => [], 'cite' => [], 'code' => [], 'dd' => [], 'del' => [],
        'div' => [], 'dl' => [], 'dt' => [], 'em' => [], 'figcaption' => [], 'figure' => [],
        'h1' => [], 'h2' => [], 'h3' => [], 'h4' => [], 'h5' => [], 'h6' => [], 'hr' => [], 'i' => [],
        'img' => ['src' => true, 'alt' => true, 'width' => true, 'height' => true],
        'ins' => [], 'li' => [], 'ol' => [], 'p' => [], 'pre' => [], 'q' => [], 's' => [],
        'span' => ['lang' => true], 'strong' => [], 'sub' => [], 'sup' => [],
        'table' => [], 'tbody' => [], 'td' => [], 'tfoot' => [], 'th' => [], 'thead' => [], 'tr' => [], 'u' => [], 'ul' => [],
    ];

    /** The fields of a post. What of it was not saved yet can be given as `$featured`, and as changed fields of `$post`. */
    public static function data(\WP_Post $post, ?int $featured = null): array
    {
        $locale = Language::locale($post);
        $switched = $locale !== determine_locale() && switch_to_locale($locale);
        try {
            $rendered = self::rendered($post);
            $published = self::moment($post->post_date_gmt);
            $updated = self::moment($post->post_modified_gmt);
            $data = [
                'id' => (string) $post->ID,
                'url' => (string) get_permalink($post),
                'title' => self::plain(get_the_title($post)),
                'summary' => self::summary($post),
                'html' => self::reduced($rendered),
                'language' => Language::tag($post),
                'published' => $published,
                'updated' => $updated !== null && $updated > (string) $published ? $updated : null,
                'embargo' => null,
                'tags' => self::tags($post),
                'media' => self::media($post, $rendered, $featured),
                'contentWarning' => null,
                'visibility' => 'public',
            ];
        } finally {
            if ($switched) {
                restore_previous_locale();
            }
        }
        if (strlen(self::encode($data)) > self::BODY_BYTES_MAX) {
            $data['html'] = wpautop(esc_html(wp_trim_words($data['html'], self::WORDS_MAX)));
        }
        /**
         * The fields of a post before they are compared and sent.
         *
         * @param array    $data Fields, as the gateway's manual has them.
         * @param \WP_Post $post The post.
         */
        return (array) apply_filters('heraut_event_data', $data, $post);
    }

    /** By which it is seen whether anything changed: all but when it was saved. */
    public static function digest(array $data): string
    {
        return hash('sha256', self::encode(['updated' => null] + array_diff_key($data, ['updated' => null])));
    }

    /** The body of a request. Of two events about one post the one with the higher `sequence` is the later. */
    public static function body(string $kind, string $id, string $subject, ?array $data, ?int $sequence): string
    {
        $event = [
            'specversion' => '1.0',
            'id' => $id,
            'source' => Settings::source(),
            'type' => Settings::prefix() . self::SUFFIXES[$kind],
            'time' => gmdate('Y-m-d\TH:i:s\Z'),
            'subject' => $subject,
        ];
        if ($sequence !== null) {
            $event['sequence'] = (string) $sequence;
        }
        if ($data !== null) {
            $event += ['datacontenttype' => 'application/json', 'data' => $data];
        }
        return self::encode($event);
    }

    public static function subject(string $type, int $id): string
    {
        return "$type/$id";
    }

    /** About what the note will say. The gateway has a template and limits of its own. */
    public static function note(array $data): string
    {
        $text = $data['summary'] ?? null;
        if ($text === null) {
            $lines = preg_replace('#<(br|/p|/div|/li|/h[1-6]|/tr|/figcaption|/blockquote)\b[^>]*>#i', "$0\n\n", (string) $data['html']);
            $text = trim(preg_replace('/\s*\n\s*\n\s*/', "\n\n", self::decoded($lines)));
            $text = mb_strlen($text) > 500 ? mb_substr($text, 0, 499) . '…' : $text;
        }
        $hashtags = array_map(self::hashtag(...), array_slice($data['tags'], 0, 5));
        $parts = [$data['title'], $text, $data['url'], implode(' ', array_filter($hashtags))];
        return implode("\n\n", array_filter($parts, static fn ($part) => (string) $part !== ''));
    }

    private static function hashtag(string $tag): string
    {
        $words = preg_split('/[^\p{L}\p{N}]+/u', $tag, -1, PREG_SPLIT_NO_EMPTY) ?: [];
        if (count($words) > 1) {
            $words = array_map(static fn ($word) => mb_strtoupper(mb_substr($word, 0, 1)) . mb_substr($word, 1), $words);
        }
        return $words === [] ? '' : '#' . implode('', $words);
    }

    public static function encode(array $value): string
    {
        $flags = JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE;
        return json_encode($value, $flags | JSON_THROW_ON_ERROR);
    }

    /** The text as the site shows it, by the filters of theme and plugins. Nothing is fetched and nothing is printed meanwhile. */
    private static function rendered(\WP_Post $post): string
    {
        global $wp_embed;
        $before = $GLOBALS['post'] ?? null;
        $refuse = static fn () => new \WP_Error('heraut', 'Nothing is fetched while a post is read for the gateway.');
        add_filter('pre_http_request', $refuse, PHP_INT_MAX);
        // A video stays the address that it is: asking its site would be a request, and a refusal would be remembered as its answer.
        $embeds = [];
        foreach (['run_shortcode', 'autoembed'] as $method) {
            if (remove_filter('the_content', [$wp_embed, $method], 8)) {
                $embeds[] = $method;
            }
        }
        $GLOBALS['post'] = $post;
        setup_postdata($post);
        $level = ob_get_level();
        ob_start();
        try {
            return (string) apply_filters('the_content', $post->post_content);
        } catch (\Throwable $problem) {
            // A plugin that fails here must not keep the post from going out.
            error_log('Heraut: a filter of the_content failed: ' . $problem->getMessage());
            return wpautop(strip_shortcodes(excerpt_remove_blocks($post->post_content)));
        } finally {
            while (ob_get_level() > $level) {
                ob_end_clean();
            }
            remove_filter('pre_http_request', $refuse, PHP_INT_MAX);
            foreach ($embeds as $method) {
                add_filter('the_content', [$wp_embed, $method], 8);
            }
            $GLOBALS['post'] = $before;
            if ($before instanceof \WP_Post) {
                setup_postdata($before);
            }
        }
    }

    private static function reduced(string $html): string
    {
        // wp_kses removes tags and leaves what is between them.
        $html = preg_replace('#<(script|style|template|noscript|svg|iframe|form|button)\b[^>]*>.*?</\1\s*>#is', '', $html) ?? '';
        $html = preg_replace('#<!--.*?-->#s', '', $html) ?? '';
        $html = preg_replace(self::PLACEHOLDER, '', $html) ?? '';
        return trim(make_clickable(wp_kses($html, self::HTML)));
    }

    /** Only what an editor wrote as excerpt: a beginning that WordPress cuts off is no summary. */
    private static function summary(\WP_Post $post): ?string
    {
        $excerpt = trim($post->post_excerpt);
        return $excerpt === '' ? null : self::plain(strip_shortcodes($excerpt));
    }

    private static function tags(\WP_Post $post): array
    {
        $none = (int) get_option('default_category');
        $names = [];
        foreach (get_object_taxonomies($post, 'objects') as $taxonomy) {
            if (!$taxonomy->public || $taxonomy->name === 'post_format' || str_starts_with($taxonomy->name, 'post_translations')
                || in_array($taxonomy->name, ['language', 'translation_priority'], true)) {
                continue;
            }
            $terms = get_the_terms($post, $taxonomy->name);
            foreach (is_array($terms) ? $terms : [] as $term) {
                // The category of what has none.
                if (!($taxonomy->name === 'category' && $term->term_id === $none)) {
                    $names[] = self::plain($term->name);
                }
            }
        }
        return array_slice(array_values(array_unique($names)), 0, self::TAGS_MAX);
    }

    /** The featured image, then those of the text; one file once. */
    private static function media(\WP_Post $post, string $html, ?int $featured): array
    {
        $featured ??= (int) get_post_thumbnail_id($post);
        $media = [];
        $url = $featured > 0 ? wp_get_attachment_image_url($featured, 'full') : false;
        if ($url) {
            $media[$url] = self::image($url, $featured, null, $post);
        }
        preg_match_all('/<img\s[^>]*>/i', preg_replace(self::PLACEHOLDER, '', $html) ?? '', $found);
        foreach ($found[0] as $tag) {
            $attributes = wp_kses_hair(trim(substr($tag, 4), " \t\n\r/>"), ['http', 'https']);
            $value = static fn (string $name): string => self::decoded((string) ($attributes[$name]['value'] ?? ''));
            $class = $value('class');
            $attachment = preg_match('/\bwp-image-(\d+)\b/', $class, $match) ? (int) $match[1] : 0;
            $source = \WP_Http::make_absolute_url($value('src'), (string) get_permalink($post));
            $is_pixel = in_array('1', [$value('width'), $value('height')], true);
            $is_picture = preg_match('#^https?://#', $source) && !$is_pixel && !preg_match('/\b(emoji|wp-smiley)\b/', $class);
            if ($is_picture && !isset($media[$source]) && !($attachment > 0 && $attachment === $featured)) {
                $media[$source] = self::image($source, $attachment, $value('alt'), $post);
            }
        }
        return array_slice(array_values($media), 0, self::IMAGES_MAX);
    }

    private static function image(string $url, int $attachment, ?string $alt, \WP_Post $post): array
    {
        $alt = self::single_spaced((string) $alt);
        if ($alt === '' && $attachment > 0) {
            $alt = self::plain((string) get_post_meta($attachment, '_wp_attachment_image_alt', true));
        }
        $type = $attachment > 0 ? get_post_mime_type($attachment) : wp_check_filetype((string) wp_parse_url($url, PHP_URL_PATH))['type'];
        return [
            'url' => \WP_Http::make_absolute_url($url, (string) get_permalink($post)),
            'type' => $type ?: null,
            'alt' => $alt === '' ? null : $alt,
        ];
    }

    /** A moment as WordPress stores it, as RFC 3339. */
    private static function moment(string $gmt): ?string
    {
        $time = str_starts_with($gmt, '0000') ? false : strtotime("$gmt UTC");
        return $time === false ? null : gmdate('Y-m-d\TH:i:s\Z', $time);
    }

    private static function plain(string $html): string
    {
        return self::single_spaced(self::decoded($html));
    }

    private static function single_spaced(string $text): string
    {
        return trim(preg_replace('/\s+/u', ' ', $text) ?? $text);
    }

    private static function decoded(string $html): string
    {
        return html_entity_decode(wp_strip_all_tags($html), ENT_QUOTES | ENT_HTML5, 'UTF-8');
    }
}
