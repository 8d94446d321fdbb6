<?php

declare(strict_types=1);

namespace Drupal\heraut;

use Drupal\Component\Utility\Xss;
use Drupal\Core\Site\Settings;
use Drupal\file\FileInterface;
use Drupal\node\NodeInterface;

/**
 * Makes CloudEvents of nodes, signs them as Standard Webhooks have it, and posts them.
 *
 * settings.php: $settings['heraut'] = ['gateway' => 'https://…/hooks/drupal', 'secret' => 'whsec_…', 'fields' => ['summary' => …]];
 */
final class Teller {

  /**
   * Names of fields, by what they are for.
   */
  private const FIELDS = ['body' => 'body', 'image' => 'field_image', 'tags' => 'field_tags'];

  public static function event(NodeInterface $node, bool $is_deleted): array {
    $settings = Settings::get('heraut', []);
    $is_public = !$is_deleted && $node->isPublished();
    $was_public = isset($node->original) && $node->original->isPublished();
    $kind = match (TRUE) {
      !$is_public => 'ingetrokken',
      $was_public => 'gewijzigd',
      default => 'gepubliceerd',
    };
    // Translations are items of their own.
    $id = $node->uuid() . ($node->isDefaultTranslation() ? '' : '-' . $node->language()->getId());
    return [
      'specversion' => '1.0',
      'id' => \Drupal::service('uuid')->generate(),
      'source' => $settings['source'] ?? 'urn:nld:oin:00000000000000000000:systeem:drupal',
      'type' => ($settings['type'] ?? 'nl.voorbeeld.bericht') . '-' . $kind,
      'time' => gmdate('Y-m-d\TH:i:s\Z'),
      'sequence' => (string) (int) floor(microtime(TRUE) * 1000),
      'subject' => $node->bundle() . '/' . $node->id(),
      'datacontenttype' => 'application/json',
      'data' => ['id' => $id] + ($is_public ? self::data($node, ($settings['fields'] ?? []) + self::FIELDS) : []),
    ];
  }

  private static function data(NodeInterface $node, array $fields): array {
    $moment = static fn (int $time): string => gmdate('Y-m-d\TH:i:s\Z', $time);
    $has = static fn (string $name): bool => $node->hasField($name) && !$node->get($name)->isEmpty();
    $body = $has($fields['body']) ? $node->get($fields['body'])->first() : NULL;
    $summary = $body === NULL ? '' : trim(strip_tags((string) ($body->summary ?? '')));
    $media = $tags = [];
    foreach ($has($fields['image']) ? $node->get($fields['image']) : [] as $item) {
      if ($item->entity instanceof FileInterface) {
        $media[] = [
          'url' => \Drupal::service('file_url_generator')->generateAbsoluteString($item->entity->getFileUri()),
          'type' => $item->entity->getMimeType(),
          'alt' => $item->alt ?: NULL,
        ];
      }
    }
    foreach ($has($fields['tags']) ? $node->get($fields['tags'])->referencedEntities() : [] as $term) {
      $tags[] = $term->label();
    }
    return [
      'url' => $node->toUrl('canonical', ['absolute' => TRUE])->toString(),
      'title' => $node->label(),
      'summary' => $summary === '' ? NULL : $summary,
      // Through the text format, never as it was typed.
      'html' => $body === NULL ? NULL : Xss::filterAdmin((string) $body->processed),
      'language' => $node->language()->getId(),
      'published' => $moment((int) $node->getCreatedTime()),
      'updated' => $moment((int) $node->getChangedTime()),
      'tags' => $tags,
      'media' => $media,
      'visibility' => 'public',
    ];
  }

  /**
   * Posts an event; throws when the gateway does not take it now.
   */
  public static function post(array $event): void {
    $settings = Settings::get('heraut', []);
    $key = base64_decode(substr((string) ($settings['secret'] ?? ''), strlen('whsec_')), TRUE);
    if (empty($settings['gateway']) || !$key) {
      throw new \RuntimeException("\$settings['heraut'] has no gateway or no secret.");
    }
    $body = json_encode($event, JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_INVALID_UTF8_SUBSTITUTE | JSON_THROW_ON_ERROR);
    $time = (string) time();
    $signature = base64_encode(hash_hmac('sha256', $event['id'] . ".$time.$body", $key, TRUE));
    $response = \Drupal::httpClient()->post($settings['gateway'], [
      'body' => $body,
      'headers' => [
        'content-type' => 'application/cloudevents+json',
        'webhook-id' => $event['id'],
        'webhook-timestamp' => $time,
        'webhook-signature' => "v1,$signature",
      ],
      'allow_redirects' => FALSE,
      'http_errors' => FALSE,
      'timeout' => 10,
    ]);
    $status = $response->getStatusCode();
    $answer = substr((string) $response->getBody(), 0, 500);
    $log = \Drupal::logger('heraut');
    if ($status >= 200 && $status < 300) {
      $log->info('@type @subject: @status', ['@type' => $event['type'], '@subject' => $event['subject'], '@status' => $status]);
      return;
    }
    if (in_array($status, [400, 409, 413, 415], TRUE)) {
      // The same would be answered again.
      $log->error('@subject was not accepted: @status @answer', ['@subject' => $event['subject'], '@status' => $status, '@answer' => $answer]);
      return;
    }
    throw new \RuntimeException("The gateway answered $status: $answer");
  }

}
