<?php

declare(strict_types=1);

namespace Heraut;

/** In which language a post is: what Polylang or WPML says, or else that of the site. */
final class Language
{
    /** A WordPress locale, such as nl_NL. */
    public static function locale(\WP_Post $post): string
    {
        $locale = null;
        if (function_exists('pll_get_post_language')) {
            $locale = \pll_get_post_language($post->ID, 'locale');
        }
        if (!$locale && has_filter('wpml_post_language_details')) {
            $details = apply_filters('wpml_post_language_details', null, $post->ID);
            $locale = is_array($details) ? ($details['locale'] ?? $details['language_code'] ?? null) : null;
        }
        // Not that of the person who happens to be logged in.
        return is_string($locale) && $locale !== '' ? $locale : get_locale();
    }

    /** As the web writes it (BCP 47): nl-NL, and nl-NL for WordPress's nl_NL_formal too. */
    public static function tag(\WP_Post $post): string
    {
        preg_match('/^[A-Za-z]{2,3}([_-][A-Z][a-z]{3})?([_-][A-Za-z]{2})?(?![A-Za-z])/', self::locale($post), $found);
        return str_replace('_', '-', $found[0] ?? 'und');
    }
}
