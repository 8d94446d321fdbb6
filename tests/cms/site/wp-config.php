<?php
// The configuration of a throwaway WordPress. What differs per site is in site.json, one folder up, written by tests/cms/wordpress.
$site = json_decode(file_get_contents(dirname(__DIR__) . '/site.json'), true, 8, JSON_THROW_ON_ERROR);

define('DB_NAME', 'wordpress');
define('DB_USER', 'root');
define('DB_PASSWORD', '');
define('DB_HOST', 'localhost:' . $site['database_socket']);
define('DB_CHARSET', 'utf8mb4');
define('DB_COLLATE', '');
define('WP_HOME', $site['url']);
define('WP_SITEURL', $site['url']);

// Nothing leaves the machine and nothing happens by itself. WordPress still may call this machine.
define('WP_HTTP_BLOCK_EXTERNAL', true);
define('WP_ACCESSIBLE_HOSTS', '127.*,localhost');
define('DISABLE_WP_CRON', true);
define('AUTOMATIC_UPDATER_DISABLED', true);
define('WP_DEBUG_DISPLAY', false);

// Throwaway, so fixed: they sign cookies that nobody has.
foreach (['AUTH', 'SECURE_AUTH', 'LOGGED_IN', 'NONCE'] as $name) {
    define($name . '_KEY', 'heraut-tests');
    define($name . '_SALT', 'heraut-tests');
}

$table_prefix = 'wp_';
if (!defined('ABSPATH')) {
    define('ABSPATH', __DIR__ . '/');
}
require_once ABSPATH . 'wp-settings.php';
