//! Traces to an OpenTelemetry collector, over OTLP (HTTP, protobuf). Where to and how is said by the standard variables
//! `OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_EXPORTER_OTLP_HEADERS`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER` and so on, which the
//! OpenTelemetry SDK reads itself. The collector is the operator's own, so it is not asked through the guarded client.

use std::time::Duration;

use opentelemetry::trace::TracerProvider as _;
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{Protocol, SpanExporter, WithExportConfig as _, WithHttpConfig as _};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SdkTracer, SdkTracerProvider};
use tracing::level_filters::LevelFilter;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::{Layer as _, Registry};

use crate::metrics::trace::TARGET;
use crate::telemetry::lines::JsonLines;
use crate::telemetry::{Collector, TelemetryError};

/// How long a collector may take over what it is sent.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Most bytes of an answer that are read.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Sends spans until it is dropped or shut down.
pub(super) struct Exporter {
    provider: SdkTracerProvider,
}

impl Exporter {
    /// Starts it. To be called on a tokio runtime, which carries the requests.
    pub(super) fn start(collector: Collector) -> Result<Self, TelemetryError> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(Client::new()?)
            .with_protocol(Protocol::HttpBinary)
            .build()
            .map_err(|error| TelemetryError::Traces(error.to_string()))?;
        let named = Resource::builder()
            .with_attribute(opentelemetry::KeyValue::new("service.version", env!("CARGO_PKG_VERSION")));
        let named = if collector.named { named } else { named.with_service_name("heraut") };
        let provider = SdkTracerProvider::builder().with_batch_exporter(exporter).with_resource(named.build()).build();
        Ok(Self { provider })
    }

    /// Where spans go.
    fn tracer(&self) -> SdkTracer {
        self.provider.tracer("heraut")
    }

    /// Sends what is left.
    pub(super) fn stop(&self) {
        if let Err(error) = self.provider.shutdown_with_timeout(TIMEOUT) {
            tracing::warn!(%error, "the last traces were not sent");
        }
    }
}

/// Logs as ever, and spans to the exporter.
pub(super) fn subscriber(
    json: bool,
    terminal: bool,
    level: EnvFilter,
    exporter: &Exporter,
) -> Box<dyn tracing::Subscriber + Send + Sync> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_ansi(terminal && !json);
    let lines = if json {
        lines.fmt_fields(JsonFields::new()).event_format(JsonLines).boxed()
    } else {
        lines.with_target(false).boxed()
    };
    let spans = tracing_opentelemetry::layer()
        .with_tracer(exporter.tracer())
        .with_location(false)
        .with_threads(false)
        .with_tracked_inactivity(false)
        .with_filter(Targets::new().with_target(TARGET, LevelFilter::TRACE));
    Box::new(Registry::default().with(lines.with_filter(level)).with(spans))
}

/// The way to the collector. The exporter's own thread has no runtime, so that of the process carries the requests.
#[derive(Debug, Clone)]
struct Client {
    inner: reqwest::Client,
    runtime: tokio::runtime::Handle,
}

impl Client {
    fn new() -> Result<Self, TelemetryError> {
        let broken = |error: &dyn std::fmt::Display| TelemetryError::Traces(error.to_string());
        let runtime = tokio::runtime::Handle::try_current().map_err(|error| broken(&error))?;
        #[allow(clippy::disallowed_methods)] // The collector is not a stranger: it may well be on a private address.
        let builder = reqwest::Client::builder();
        let inner = builder
            .redirect(reqwest::redirect::Policy::none())
            .timeout(TIMEOUT)
            .tls_backend_preconfigured(tls()?)
            .build()
            .map_err(|error| broken(&error))?;
        Ok(Self { inner, runtime })
    }
}

/// TLS that trusts the public certificate authorities.
fn tls() -> Result<rustls::ClientConfig, TelemetryError> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| TelemetryError::Traces(error.to_string()))?;
    Ok(config.with_root_certificates(roots).with_no_client_auth())
}

#[async_trait::async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let client = self.inner.clone();
        let sending = self.runtime.spawn(async move {
            let (parts, body) = request.into_parts();
            let request = client.request(parts.method, parts.uri.to_string()).headers(parts.headers).body(body);
            let mut response = request.send().await?;
            let (status, headers) = (response.status(), response.headers().clone());
            let mut body = Vec::new();
            while body.len() < ANSWER_BYTES_MAX
                && let Some(chunk) = response.chunk().await?
            {
                body.extend_from_slice(&chunk);
            }
            let mut answer = Response::new(Bytes::from(body));
            *answer.status_mut() = status;
            *answer.headers_mut() = headers;
            Ok::<_, reqwest::Error>(answer)
        });
        Ok(sending.await??)
    }
}
