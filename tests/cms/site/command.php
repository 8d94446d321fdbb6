<?php
// Does one thing in a WordPress with WordPress's own functions:  php command.php SITE COMMAND < arguments.json > answer.json
[, $site, $command] = $argv;
$arguments = json_decode(stream_get_contents(STDIN), true, 16, JSON_THROW_ON_ERROR);
$host = parse_url(json_decode(file_get_contents(dirname($site) . '/site.json'), true)['url']);
$_SERVER['HTTP_HOST'] = $host['host'] . ':' . $host['port'];
$_SERVER['REQUEST_METHOD'] = 'GET';
$_SERVER['REQUEST_URI'] = '/';
$_SERVER['REMOTE_ADDR'] = '127.0.0.1';

const COMMANDS = ['install', 'publish', 'edit', 'trash', 'plugin', 'option', 'run'];
if (!in_array($command, COMMANDS, true)) {
    fail("unknown command $command");
}
if ($command === 'install') {
    define('WP_INSTALLING', true);
    create_database($site);
}
require $site . '/wp-load.php';
require_once ABSPATH . 'wp-admin/includes/admin.php';
if ($command !== 'install') {
    wp_set_current_user(1); // the editor that wp_install made; without one, WordPress filters what authors may write
}
echo json_encode($command($arguments), JSON_THROW_ON_ERROR | JSON_UNESCAPED_SLASHES), "\n";

function fail(string $why): never
{
    fwrite(STDERR, "wordpress: $why\n");
    exit(1);
}

/** The value, or the end with WordPress's own message. */
function sound(mixed $value, string $attempt): mixed
{
    if (is_wp_error($value)) {
        fail("$attempt: " . $value->get_error_message());
    }
    if (!$value) {
        fail("$attempt failed");
    }
    return $value;
}

function create_database(string $site): void
{
    $socket = json_decode(file_get_contents(dirname($site) . '/site.json'), true)['database_socket'];
    (new mysqli('localhost', 'root', '', '', 0, $socket))->query('CREATE DATABASE wordpress CHARACTER SET utf8mb4');
}

function install(array $arguments): array
{
    require_once ABSPATH . 'wp-admin/includes/upgrade.php';
    wp_install($arguments['title'], 'redactie', 'redactie@example.invalid', true, '', wp_generate_password());
    foreach (get_posts(['post_type' => ['post', 'page'], 'post_status' => 'any', 'numberposts' => -1]) as $sample) {
        sound(wp_delete_post($sample->ID, true), 'removing the sample posts');
    }
    update_option('timezone_string', 'Europe/Amsterdam');
    update_option('rss_use_excerpt', '0');
    switch_theme('twentytwentythree');
    return ['version' => get_bloginfo('version')];
}

function publish(array $arguments): array
{
    $content = paragraphs($arguments['body']);
    $image = isset($arguments['image']) ? attach($arguments['image'], $arguments['alt'] ?? '') : null;
    if ($image !== null) {
        $content .= image_block($image);
    }
    $post = [
        'post_title' => $arguments['title'],
        'post_content' => $content,
        'post_status' => 'draft',
        'post_type' => 'post',
    ];
    if (isset($arguments['category'])) {
        $post['post_category'] = [sound(wp_create_category($arguments['category']), 'making the category')];
    }
    $id = sound(wp_insert_post(wp_slash($post), true), 'writing the post');
    if ($image !== null) {
        sound(set_post_thumbnail($id, $image), 'setting the featured image');
    }
    // At once, with all that belongs to it, as from the editor's screen: who polls meanwhile sees nothing, or the whole.
    sound(wp_update_post(['ID' => $id, 'post_status' => 'publish'], true), 'publishing the post');
    return ['id' => $id, 'url' => get_permalink($id), 'guid' => get_the_guid($id)];
}

function edit(array $arguments): array
{
    $post = ['ID' => the_post_named($arguments['id'])->ID];
    if (isset($arguments['title'])) {
        $post['post_title'] = $arguments['title'];
    }
    if (isset($arguments['body'])) {
        $post['post_content'] = paragraphs($arguments['body']);
    }
    $id = sound(wp_update_post(wp_slash($post), true), 'editing the post');
    return ['id' => $id, 'url' => get_permalink($id)];
}

function trash(array $arguments): array
{
    $post = the_post_named($arguments['id']);
    $url = get_permalink($post);
    sound(wp_trash_post($post->ID), 'moving the post to the trash');
    return ['id' => $post->ID, 'url' => $url];
}

/** Copies a plugin folder (or one file) into the site and switches it on. */
function plugin(array $arguments): array
{
    $source = rtrim($arguments['path'], '/');
    $target = WP_PLUGIN_DIR . '/' . basename($source);
    require_once ABSPATH . 'wp-admin/includes/class-wp-filesystem-base.php';
    WP_Filesystem() || fail('WordPress cannot write to its own folder');
    if (is_dir($source)) {
        wp_mkdir_p($target);
        sound(copy_dir($source, $target), 'copying the plugin');
    } else {
        copy($source, $target) || fail("cannot copy $source");
    }
    wp_clean_plugins_cache();
    foreach (array_keys(get_plugins()) as $plugin) {
        if (explode('/', $plugin)[0] === basename($source)) {
            $error = activate_plugin($plugin);
            is_wp_error($error) && fail('switching the plugin on: ' . $error->get_error_message());
            return ['plugin' => $plugin];
        }
    }
    fail("$source holds no file with a Plugin Name header");
}

function option(array $arguments): array
{
    update_option($arguments['name'], $arguments['value']);
    return ['name' => $arguments['name'], 'value' => get_option($arguments['name'])];
}

/** What a file of the tests does: it returns a function of the arguments. */
function run(array $arguments): array
{
    return ['result' => (require $arguments['file'])($arguments['given'])];
}

function the_post_named(int $id): WP_Post
{
    return get_post($id) ?? fail("there is no post $id");
}

/** Blank lines separate paragraphs; HTML in the body stays, as what an editor pastes. */
function paragraphs(string $body): string
{
    $blocks = '';
    foreach (preg_split('/\n\s*\n/', trim($body)) as $paragraph) {
        $blocks .= "<!-- wp:paragraph -->\n<p>$paragraph</p>\n<!-- /wp:paragraph -->\n\n";
    }
    return $blocks;
}

function attach(string $file, string $alt): int
{
    is_readable($file) || fail("cannot read the image $file");
    $copy = wp_tempnam(basename($file));
    copy($file, $copy);
    $id = sound(media_handle_sideload(['name' => basename($file), 'tmp_name' => $copy], 0), "adding the image $file");
    update_post_meta($id, '_wp_attachment_image_alt', wp_slash($alt));
    return $id;
}

function image_block(int $id): string
{
    $url = esc_url(wp_get_attachment_url($id));
    $alt = esc_attr(get_post_meta($id, '_wp_attachment_image_alt', true));
    return "<!-- wp:image {\"id\":$id} -->\n<figure class=\"wp-block-image\"><img src=\"$url\" alt=\"$alt\" class=\"wp-image-$id\"/></figure>\n<!-- /wp:image -->\n";
}
