//! Logs, on standard error: plain lines on a terminal, one JSON object a line elsewhere. What is logged, and what never is,
//! stands in `reference/style.md` 3, rule 25: a sentence and dotted fields; no tokens, bodies, e-mail or IP addresses.

use std::io::IsTerminal as _;

use thiserror::Error;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;

/// Filter where none is given.
pub const FILTER_DEFAULT: &str = "info";

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
    /// Logging was started before.
    #[error("logging was already started in this process")]
    Twice,
}

/// Starts logging for this process; `filter` is `HERAUT_LOG` (see `config::environment::log_filter`), `None` is
/// [`FILTER_DEFAULT`].
pub fn init(format: LogFormat, filter: Option<&str>) -> Result<(), TelemetryError> {
    let terminal = std::io::stderr().is_terminal();
    let json = match format {
        LogFormat::Auto => !terminal,
        LogFormat::Human => false,
        LogFormat::Json => true,
    };
    let subscriber = subscriber(json, terminal, filter.unwrap_or(FILTER_DEFAULT), std::io::stderr)?;
    tracing::subscriber::set_global_default(subscriber).map_err(|_| TelemetryError::Twice)
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
    let unreadable = |source| TelemetryError::Filter { filter: filter.to_owned(), source };
    let level = EnvFilter::try_new(filter).map_err(unreadable)?;
    let lines = tracing_subscriber::fmt().with_env_filter(level).with_writer(writer).with_ansi(colours && !json);
    Ok(if json {
        Box::new(lines.json().flatten_event(true).with_current_span(false).finish())
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
    fn on_a_terminal_a_line_is_a_sentence_with_its_fields() {
        let text = logged(false, FILTER_DEFAULT);
        assert!(text.contains("a post was published actor.handle=\"nieuws\""), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn the_filter_decides_and_a_broken_one_is_refused_with_the_way_out() {
        assert_eq!(logged(false, "debug").lines().count(), 2);
        assert_eq!(logged(false, "warn"), "");
        let error = init(LogFormat::Auto, Some("heraut=loud")).unwrap_err();
        assert!(error.to_string().contains("HERAUT_LOG=`heraut=loud`"), "{error}");
    }
}
