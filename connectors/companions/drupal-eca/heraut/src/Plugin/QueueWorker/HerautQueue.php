<?php

declare(strict_types=1);

namespace Drupal\heraut\Plugin\QueueWorker;

use Drupal\Core\Queue\QueueWorkerBase;
use Drupal\Core\Queue\SuspendQueueException;
use Drupal\heraut\Teller;

/**
 * Brings events to the gateway.
 *
 * @QueueWorker(
 *   id = "heraut",
 *   title = @Translation("Heraut: events for the gateway"),
 *   cron = {"time" = 30}
 * )
 */
class HerautQueue extends QueueWorkerBase {

  /**
   * {@inheritdoc}
   */
  public function processItem($event): void {
    try {
      Teller::post($event);
    }
    catch (\Throwable $problem) {
      \Drupal::logger('heraut')->warning('@problem', ['@problem' => $problem->getMessage()]);
      // All wait, so that the order is kept; the next run of cron tries again.
      throw new SuspendQueueException($problem->getMessage());
    }
  }

}
