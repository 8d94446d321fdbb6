<?php
// Must-use plugin for the tests of the WordPress plugin: what tests switch by the option `heraut_test_site`.

function heraut_test_site(string $name): mixed
{
    return ((array) get_option('heraut_test_site'))[$name] ?? null;
}

// Tests do not wait for half a minute.
add_filter('heraut_retry_seconds', fn () => 1);
add_filter('use_block_editor_for_post', fn ($use) => $use && !heraut_test_site('classic'));
// A theme or plugin that does what is not wanted while a post is read.
add_filter('the_content', function ($html) {
    if (heraut_test_site('content') === 'fails') {
        throw new Error('a plugin that fails');
    }
    if (heraut_test_site('content') === 'fetches') {
        $answer = wp_remote_get(heraut_test_site('elsewhere'));
        echo 'printed in between';
        return $html . '<p class="' . wp_rand() . '">' . (is_wp_error($answer) ? 'not fetched' : 'fetched') . '</p><script>alert(1)</script>';
    }
    return $html;
});
// As Polylang has it.
if (heraut_test_site('polylang')) {
    function pll_get_post_language($post, $field)
    {
        return get_post_meta($post, 'test_language', true) ?: false;
    }
}
// Taken for one who has logged in, for the browser alone, which cannot be told a cookie.
add_action('init', function () {
    if (isset($_GET['heraut_test_login']) && heraut_test_site('login')) {
        wp_set_auth_cookie(1);
        wp_set_current_user(1);
        wp_safe_redirect(remove_query_arg('heraut_test_login'));
        exit;
    }
});
