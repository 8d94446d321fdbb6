//! Logs, on standard error: plain lines on a terminal, one JSON object a line elsewhere. What is logged, and what never is,
//! stands in `reference/style.md` 3, rule 25: a sentence and dotted fields; no tokens, bodies, e-mail or IP addresses.
//!
//! And traces, where a collector for them is named, and the program was built with the feature `otlp`.

mod lines;
#[cfg(feature = "otlp")]
mod traces;

use std::io::IsTerminal as _;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::JsonFields;

use crate::telemetry::lines::JsonLines;

/// Filter where none is given.
pub const FILTER_DEFAULT: &str = "info,actix_server=warn";

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// Plain on a terminal, JSON elsewhere.
    #[default]
    Auto,
    /// Plain lines.
    Human,
    /// One JSON object a line.
    Json,
}

/// Why logging cannot start.
#[derive(Debug, Error)]
pub enum TelemetryError {
    /// The filter is not one.
    #[error("HERAUT_LOG=`{filter}` is not a log filter; use for example `info` or `info,heraut=debug`")]
    Filter {
        /// The filter.
        filter: String,
        /// What the parser says.
        #[source]
        source: ParseError,
    },
    /// Traces cannot be sent.
    #[error("traces cannot be sent: {0}; look at the variables OTEL_EXPORTER_OTLP_…")]
    Traces(String),
    /// Logging was started before.
    #[error("logging was already started in this process")]
    Twice,
}

/// A collector of traces that the environment names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Collector {
    /// Whether the environment also says what this service is called.
    pub named: bool,
}

/// What sends traces; they end with it.
#[derive(Default)]
pub struct Sending {
    #[cfg(feature = "otlp")]
    exporter: Option<traces::Exporter>,
}

impl Sending {
    /// Sends what is left, for some seconds at most.
    pub fn stop(&self) {
        #[cfg(feature = "otlp")]
        if let Some(exporter) = &self.exporter {
            exporter.stop();
        }
    }
}

/// Starts logging for this process; `filter` is `HERAUT_LOG` (see `config::environment::log_filter`), `None` is
/// [`FILTER_DEFAULT`]. With a `collector` traces go there; then it is to be called on a tokio runtime.
pub fn init(format: LogFormat, filter: Option<&str>, collector: Option<Collector>) -> Result<Sending, TelemetryError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let filter = filter.unwrap_or(FILTER_DEFAULT);
    #[cfg(feature = "otlp")]
    if let Some(collector) = collector {
        let exporter = traces::Exporter::start(collector)?;
        let subscriber = traces::subscriber(json, terminal, level(filter)?, &exporter);
        tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
        return Ok(Sending { exporter: Some(exporter) });
    }
    let subscriber = subscriber(json, terminal, filter, std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)?;
    if cfg!(not(feature = "otlp")) && collector.is_some() {
        tracing::warn!("a collector of traces is named, but this program was built without the feature otlp");
    }
    Ok(Sending::default())
}

fn level(filter: &str) -> Result<EnvFilter, TelemetryError> {
    EnvFilter::try_new(filter).map_err(|source| TelemetryError::Filter { filter: filter.to_owned(), source })
}

fn subscriber<W>(
    json: bool,
    colours: bool,
    filter: &str,
    writer: W,
) -> Result<Box<dyn tracing::Subscriber + Send + Sync>, TelemetryError>
where
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let lines =
        tracing_subscriber::fmt().with_env_filter(level(filter)?).with_writer(writer).with_ansi(colours && !json);
    Ok(if json {
        Box::new(lines.fmt_fields(JsonFields::new()).event_format(JsonLines).finish())
    } else {
        Box::new(lines.with_target(false).finish())
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn logged(json: bool, filter: &str) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(json, false, filter, move || writer.clone()).unwrap();
        tracing::subscriber::with_default(subscriber, || {
            tracing::info!(actor.handle = "nieuws", "a post was published");
            tracing::debug!("a detail");
        });
        let bytes = sink.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn elsewhere_a_line_is_a_json_object_with_its_fields() {
        let text = logged(true, FILTER_DEFAULT);
        let line: serde_json::Value = serde_json::from_str(text.trim()).unwrap();
        assert_eq!((&line["message"], &line["level"]), (&"a post was published".into(), &"INFO".into()));
        assert_eq!(line["actor.handle"], "nieuws");
    }

    #[test]
    fn a_line_tells_an_error_with_its_causes_and_the_fields_of_the_spans_that_it_stands_in() {
        let sink = Sink::default();
        let writer = sink.clone();
        let subscriber = subscriber(true, false, FILTER_DEFAULT, move || writer.clone()).unwrap();
        let broken = EnvFilter::try_new("heraut=loud").unwrap_err();
        let error = TelemetryError::Filter { filter: "heraut=loud".to_owned(), source: broken };
        tracing::subscriber::with_default(subscriber, || {
            let span = tracing::info_span!("request", request.id = "ab12");
            let _entered = span.enter();
            tracing::error!(error = &error as &dyn std::error::Error, count = 3_u128, "it failed");
        });
        let bytes = sink.0.lock().unwrap().clone();
        let line: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!((&line["request.id"], &line["count"]), (&"ab12".into(), &3.into()));
        let told = line["error"].as_str().unwrap();
        assert!(told.contains("is not a log filter") && told.contains("error parsing level filter"), "{told}");
    }

    #[test]
    fn on_a_terminal_a_line_is_a_sentence_with_its_fields() {
        let text = logged(false, FILTER_DEFAULT);
        assert!(text.contains("a post was published actor.handle=\"nieuws\""), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn the_filter_decides_and_a_broken_one_is_refused_with_the_way_out() {
        assert_eq!(logged(false, "debug").lines().count(), 2);
        assert_eq!(logged(false, "warn"), "");
        let error = init(LogFormat::Auto, Some("heraut=loud"), None).err().unwrap();
        assert!(error.to_string().contains("HERAUT_LOG=`heraut=loud`"), "{error}");
    }
}
