<?php

declare(strict_types=1);

namespace Heraut;

/** What the administrator chose. Constants in wp-config.php (HERAUT_GATEWAY, HERAUT_SECRET) go before what is stored. */
final class Settings
{
    public const OPTION = 'heraut';
    /** Apart, not loaded with every page; an array, because WordPress's list of all options shows texts and hides arrays. */
    public const SECRET_OPTION = 'heraut_secret';

    private const DEFAULTS = [
        'gateway' => '',
        'types' => ['post'],
        'categories' => [],
        'default' => true,
        'source' => '',
        'prefix' => '',
        'actor' => '',
        'creator' => '',
    ];

    public static function all(): array
    {
        $stored = get_option(self::OPTION);
        return array_merge(self::DEFAULTS, is_array($stored) ? array_intersect_key($stored, self::DEFAULTS) : []);
    }

    public static function gateway(): string
    {
        return defined('HERAUT_GATEWAY') ? (string) \HERAUT_GATEWAY : (string) self::all()['gateway'];
    }

    public static function secret(): string
    {
        if (defined('HERAUT_SECRET')) {
            return (string) \HERAUT_SECRET;
        }
        $stored = get_option(self::SECRET_OPTION);
        return is_array($stored) ? (string) ($stored['value'] ?? '') : '';
    }

    public static function store_secret(string $secret): void
    {
        if ($secret === '') {
            delete_option(self::SECRET_OPTION);
            return;
        }
        update_option(self::SECRET_OPTION, ['value' => $secret], false);
    }

    /** Types of posts that are told about. */
    public static function types(): array
    {
        return array_values(array_intersect((array) self::all()['types'], array_keys(self::possible_types())));
    }

    /** Types of posts that have a page of their own. */
    public static function possible_types(): array
    {
        $types = get_post_types(['public' => true], 'objects');
        unset($types['attachment']);
        return $types;
    }

    /** Where events say that they come from: the agency's own name for this system, or else this site. */
    public static function source(): string
    {
        $source = (string) self::all()['source'];
        return $source !== '' ? $source : home_url('/');
    }

    /** How the type of events begins: the site's name backwards, when nothing is chosen. */
    public static function prefix(): string
    {
        $prefix = (string) self::all()['prefix'];
        if ($prefix !== '') {
            return $prefix;
        }
        $host = (string) wp_parse_url(home_url(), PHP_URL_HOST);
        $host = preg_replace('/^www\./', '', strtolower($host));
        if (!preg_match('/^[a-z0-9.-]*[a-z][a-z0-9.-]*$/', $host) || !str_contains($host, '.')) {
            return 'local.site.bericht';
        }
        return implode('.', array_reverse(explode('.', $host))) . '.bericht';
    }

    /** An address as it is stored, or the reason why it is none. */
    public static function checked_gateway(string $given): string|\WP_Error
    {
        $url = trim($given);
        if ($url === '') {
            return '';
        }
        $parts = wp_parse_url($url);
        $scheme = strtolower($parts['scheme'] ?? '');
        $host = $parts['host'] ?? '';
        $is_local = in_array($host, ['localhost', '[::1]'], true) || preg_match('/^127(\.\d{1,3}){3}$/', $host);
        if (!is_array($parts) || $host === '' || !in_array($scheme, ['http', 'https'], true) || isset($parts['user'])) {
            return new \WP_Error('gateway', __('The gateway URL is no web address. It looks like https://social.example.nl/hooks/website.', 'heraut'));
        }
        if ($scheme === 'http' && !$is_local) {
            return new \WP_Error('gateway', __('The gateway URL must begin with https://.', 'heraut'));
        }
        if (!preg_match('#/hooks/[^/]+/?$#', $parts['path'] ?? '')) {
            return new \WP_Error('gateway', __('The gateway URL must end in /hooks/ and the name of the source.', 'heraut'));
        }
        return sanitize_url(untrailingslashit($url), ['http', 'https']);
    }
}
