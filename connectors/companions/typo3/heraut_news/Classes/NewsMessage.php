<?php

declare(strict_types=1);

namespace Heraut\News;

use TYPO3\CMS\Core\Attribute\WebhookMessage;
use TYPO3\CMS\Core\Messaging\WebhookMessageInterface;

/** A news record as the gateway reads it: CloudEvents 1.0. TYPO3 signs it and sends it. */
#[WebhookMessage(identifier: 'heraut/news', description: 'News for a Heraut gateway: published, changed, withdrawn')]
final class NewsMessage implements WebhookMessageInterface
{
    public function __construct(private readonly array $event)
    {
    }

    public function jsonSerialize(): array
    {
        return $this->event;
    }
}
