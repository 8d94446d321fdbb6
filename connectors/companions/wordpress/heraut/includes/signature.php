<?php

declare(strict_types=1);

namespace Heraut;

/** Standard Webhooks 1.0: HMAC-SHA256 over id, time and body. */
final class Signature
{
    /** Shortest and longest key, in bytes, that the standard advises. */
    private const KEY_BYTES_MIN = 24;
    private const KEY_BYTES_MAX = 64;

    /** The key in a secret such as `whsec_…`; null when it is none. */
    public static function key(string $secret): ?string
    {
        if (!str_starts_with($secret, 'whsec_')) {
            return null;
        }
        $key = base64_decode(substr($secret, 6), true);
        $is_sound = $key !== false && strlen($key) >= self::KEY_BYTES_MIN && strlen($key) <= self::KEY_BYTES_MAX;
        return $is_sound ? $key : null;
    }

    public static function headers(string $key, string $id, int $time, string $body): array
    {
        return [
            'webhook-id' => $id,
            'webhook-timestamp' => (string) $time,
            'webhook-signature' => 'v1,' . base64_encode(hash_hmac('sha256', "$id.$time.$body", $key, true)),
        ];
    }
}
