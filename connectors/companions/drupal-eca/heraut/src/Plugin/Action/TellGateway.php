<?php

declare(strict_types=1);

namespace Drupal\heraut\Plugin\Action;

use Drupal\Core\Access\AccessResult;
use Drupal\Core\Action\ActionBase;
use Drupal\Core\Session\AccountInterface;
use Drupal\heraut\Teller;
use Drupal\node\NodeInterface;

/**
 * Tells the gateway about a node. What it tells follows from the node: public, changed or no longer public.
 *
 * @Action(
 *   id = "heraut_tell",
 *   label = @Translation("Heraut: tell the gateway"),
 *   type = "node"
 * )
 */
class TellGateway extends ActionBase {

  /**
   * {@inheritdoc}
   */
  public function execute($node = NULL): void {
    $this->tell($node, FALSE);
  }

  protected function tell($node, bool $is_deleted): void {
    // A draft of a new version leaves the public one as it is.
    if (!$node instanceof NodeInterface || (!$is_deleted && !$node->isDefaultRevision())) {
      return;
    }
    $event = Teller::event($node, $is_deleted);
    $was_public = isset($node->original) && $node->original->isPublished();
    if (!$is_deleted && !$was_public && str_ends_with($event['type'], '-ingetrokken')) {
      // A draft.
      return;
    }
    // Sent by cron, in order, until it is accepted: whoever saves does not wait.
    \Drupal::queue('heraut')->createItem($event);
  }

  /**
   * {@inheritdoc}
   */
  public function access($object, ?AccountInterface $account = NULL, $return_as_object = FALSE) {
    $result = AccessResult::allowedIf($object instanceof NodeInterface);
    return $return_as_object ? $result : $result->isAllowed();
  }

}
