<?php
// Must-use plugin of the throwaway site.

// A pluggable function that is there already is not replaced: so no mail is ever sent.
function wp_mail()
{
    return true;
}

// The site is in Dutch by its markup and its feed; WordPress takes the option only once a translation is installed.
add_filter('locale', fn () => 'nl_NL');
