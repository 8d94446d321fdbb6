<?php

declare(strict_types=1);

namespace Drupal\heraut\Plugin\Action;

/**
 * Tells the gateway that a node was deleted.
 *
 * @Action(
 *   id = "heraut_tell_deletion",
 *   label = @Translation("Heraut: tell the gateway of a deletion"),
 *   type = "node"
 * )
 */
class TellGatewayOfDeletion extends TellGateway {

  /**
   * {@inheritdoc}
   */
  public function execute($node = NULL): void {
    $this->tell($node, TRUE);
  }

}
