<?php

declare(strict_types=1);

namespace Heraut\News;

use Psr\Log\LoggerInterface;
use Symfony\Component\Messenger\MessageBusInterface;
use TYPO3\CMS\Backend\Utility\BackendUtility;
use TYPO3\CMS\Core\Configuration\ExtensionConfiguration;
use TYPO3\CMS\Core\DataHandling\DataHandler;
use TYPO3\CMS\Core\Resource\FileRepository;
use TYPO3\CMS\Core\Site\SiteFinder;

/** Sees what happens to news records, and tells it. */
final class NewsListener
{
    private const TABLE = 'tx_news_domain_model_news';

    public function __construct(
        private readonly MessageBusInterface $bus,
        private readonly SiteFinder $sites,
        private readonly FileRepository $files,
        private readonly ExtensionConfiguration $configuration,
        private readonly LoggerInterface $logger,
    ) {
    }

    public function processDatamap_afterDatabaseOperations($status, $table, $id, $fields, DataHandler $handler): void
    {
        // What is changed in a workspace is not public yet.
        if ($table === self::TABLE && (int)$handler->BE_USER->workspace === 0) {
            $this->tell((int)($handler->substNEWwithIDs[$id] ?? $id), $status === 'new' || array_key_exists('hidden', $fields));
        }
    }

    public function processCmdmap_postProcess($command, $table, $id, $value, DataHandler $handler): void
    {
        $is_published = $command === 'version' && in_array($value['action'] ?? '', ['swap', 'publish'], true);
        if ($table === self::TABLE && ($is_published || in_array($command, ['delete', 'undelete', 'move'], true))) {
            $this->tell((int)$id, $command === 'undelete');
        }
    }

    private function tell(int $uid, bool $isNew): void
    {
        try {
            $this->bus->dispatch(new NewsMessage($this->event($uid, $isNew)));
        } catch (\Throwable $problem) {
            // Saving goes on; TYPO3's log says what is wrong.
            $this->logger->error('Heraut: news {uid} was not told: {problem}', ['uid' => $uid, 'problem' => $problem->getMessage()]);
        }
    }

    private function event(int $uid, bool $isNew): array
    {
        $news = BackendUtility::getRecord(self::TABLE, $uid);
        $now = time();
        $isPublic = $news !== null && !$news['hidden'] && in_array((string)$news['fe_group'], ['', '0'], true) && (!$news['endtime'] || $news['endtime'] > $now);
        $kind = match (true) {
            !$isPublic => 'ingetrokken',
            $isNew => 'gepubliceerd',
            default => 'gewijzigd',
        };
        return [
            'specversion' => '1.0',
            'id' => bin2hex(random_bytes(16)),
            'source' => $this->configuration->get('heraut_news', 'source'),
            'type' => $this->configuration->get('heraut_news', 'type') . '-' . $kind,
            'time' => gmdate('Y-m-d\TH:i:s\Z', $now),
            'sequence' => (string)(int)floor(microtime(true) * 1000),
            'subject' => "news/$uid",
            'datacontenttype' => 'application/json',
            'data' => ['id' => (string)$uid] + ($isPublic ? $this->data($news) : []),
        ];
    }

    private function data(array $news): array
    {
        $detail = (int)$this->configuration->get('heraut_news', 'detailPid');
        $site = $this->sites->getSiteByPageId($detail);
        $language = $site->getLanguageById(max(0, (int)$news['sys_language_uid']));
        $url = (string)$site->getRouter()->generateUri($detail, [
            '_language' => $language,
            'tx_news_pi1' => ['controller' => 'News', 'action' => 'detail', 'news' => (int)($news['l10n_parent'] ?: $news['uid'])],
        ]);
        $moment = static fn (int $time): ?string => $time > 0 ? gmdate('Y-m-d\TH:i:s\Z', $time) : null;
        $teaser = trim(strip_tags((string)$news['teaser']));
        return [
            'url' => $url,
            'title' => (string)$news['title'],
            'summary' => $teaser === '' ? null : $teaser,
            // Links within TYPO3 have no address outside of a page.
            'html' => preg_replace('#<a\s[^>]*href="t3://[^>]*>(.*?)</a>#is', '$1', (string)$news['bodytext']),
            'language' => $language->getLocale()->getName() ?: 'nl',
            'published' => $moment((int)($news['datetime'] ?: $news['crdate'])),
            'updated' => $moment((int)$news['tstamp']),
            'embargo' => $moment((int)$news['starttime']),
            'media' => $this->media((int)$news['uid'], $site->getBase()),
            'visibility' => 'public',
        ];
    }

    private function media(int $uid, \Psr\Http\Message\UriInterface $base): array
    {
        $media = [];
        foreach ($this->files->findByRelation(self::TABLE, 'fal_media', $uid) as $file) {
            $path = (string)$file->getPublicUrl();
            if (str_starts_with($file->getMimeType(), 'image/') && $path !== '') {
                $url = preg_match('#^https?://#', $path) ? $path : (string)$base->withPath('/' . ltrim($path, '/'))->withQuery('');
                $media[] = ['url' => $url, 'type' => $file->getMimeType(), 'alt' => $file->getAlternative() ?: null];
            }
        }
        return $media;
    }
}
