<?php
// Router of PHP's built-in server: files as they are, proofs from DIR/well-known, all else to WordPress, as a rewriting web server does.
$site = $_SERVER['DOCUMENT_ROOT'];
$path = rawurldecode(parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH) ?: '/');

// The agency publishes its proof on its own site. Read at every request, so that a test may write or remove it at any time.
if (preg_match('#^/\.well-known/([a-z0-9.-]+)$#', $path, $match)) {
    $file = dirname($site) . '/well-known/' . $match[1];
    if (!is_file($file)) {
        http_response_code(404);
        return true;
    }
    header('Content-Type: ' . (str_ends_with($file, '.json') ? 'application/json' : 'text/plain; charset=utf-8'));
    readfile($file);
    return true;
}

$inside = realpath($site . $path);
if ($inside !== false && str_starts_with($inside, $site . '/') && is_file($inside)) {
    return false;
}
if ($inside !== false && is_file($inside . '/index.php') && $inside !== $site) {
    return false;
}
$_SERVER['SCRIPT_NAME'] = $_SERVER['PHP_SELF'] = '/index.php';
$_SERVER['SCRIPT_FILENAME'] = $site . '/index.php';
chdir($site);
require $site . '/index.php';
return true;
