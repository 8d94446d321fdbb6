<?php

declare(strict_types=1);

namespace Heraut;

/** What the site says of its actor: with `rel="me"` profiles are verified, with `fediverse:creator` shared links name the actor. */
final class Head
{
    public static function watch(): void
    {
        add_action('wp_head', self::tags(...));
    }

    private static function tags(): void
    {
        $settings = Settings::all();
        if ($settings['actor'] !== '') {
            printf("<link rel=\"me\" href=\"%s\">\n", esc_url($settings['actor']));
        }
        if ($settings['creator'] !== '' && is_singular(Settings::types())) {
            printf("<meta name=\"fediverse:creator\" content=\"%s\">\n", esc_attr($settings['creator']));
        }
    }
}
