<?php
/**
 * Plugin Name: Heraut
 * Description: Tells the agency's Heraut gateway what this site publishes, changes and withdraws, so that it reaches followers on the fediverse.
 * Version: 0.1.0
 * Requires at least: 6.1
 * Requires PHP: 8.1
 * License: EUPL-1.2
 * License URI: https://eupl.eu/1.2/en/
 * Text Domain: heraut
 * Domain Path: /languages
 */

declare(strict_types=1);

namespace Heraut;

if (!defined('ABSPATH')) {
    exit;
}

const VERSION = '0.1.0';
const FILE = __FILE__;

foreach (['settings', 'signature', 'language', 'event', 'queue', 'changes', 'sender', 'editor', 'head', 'settings-page', 'log-page'] as $part) {
    require __DIR__ . "/includes/$part.php";
}

add_action('init', static function (): void {
    load_plugin_textdomain('heraut', false, dirname(plugin_basename(FILE)) . '/languages');
    Queue::prepare();
});
Changes::watch();
Sender::watch();
Editor::watch();
Head::watch();
SettingsPage::watch();
LogPage::watch();

register_deactivation_hook(FILE, static function (): void {
    // What waits stays in its table, and goes out when the plugin is switched on again.
    wp_clear_scheduled_hook(Sender::SEND);
    wp_clear_scheduled_hook(Sender::TICK);
});
