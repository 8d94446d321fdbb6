//! Traces: a collector on loopback reads what the gateway sends.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue};
use prost::Message as _;

use crate::harness::{Answer, Reply, Setup, World, both, serve, until};

/// A span as it came: its name, what it says, and what the service says of itself.
type Spans = Arc<Mutex<Vec<(String, BTreeMap<String, String>)>>>;

fn text(value: Option<AnyValue>) -> String {
    match value.and_then(|value| value.value) {
        Some(Value::StringValue(text)) => text,
        Some(Value::IntValue(n)) => n.to_string(),
        other => format!("{other:?}"),
    }
}

fn map(attributes: Vec<KeyValue>) -> BTreeMap<String, String> {
    attributes.into_iter().map(|a| (a.key, text(a.value))).collect()
}

/// A collector; its address, and what came.
fn collector() -> (String, Spans) {
    let spans = Spans::default();
    let taken = spans.clone();
    let address = serve(Arc::new(move |request| {
        let taken = taken.clone();
        Box::pin(async move {
            assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/v1/traces"));
            assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
            assert_eq!(request.header("x-tenant"), Some("stad"));
            let sent = ExportTraceServiceRequest::decode(request.body.as_slice()).unwrap();
            for resource in sent.resource_spans {
                let service = map(resource.resource.unwrap_or_default().attributes);
                for span in resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                    assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
                    let mut says = map(span.attributes);
                    says.extend(service.clone());
                    taken.lock().unwrap().push((span.name, says));
                }
            }
            Answer::Reply(Reply::ok("application/x-protobuf", Vec::new()))
        })
    }));
    (format!("http://{address}"), spans)
}

both! {
    async fn a_collector_gets_a_span_of_each_step(db: Database) {
        let (address, spans) = collector();
        let mut world = World::with(db, Setup::new()).await;
        world.gateway.stop().await;
        let environment = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address.as_str()),
            ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=stad"),
            ("OTEL_BSP_SCHEDULE_DELAY", "200"),
        ];
        world.gateway.spawn_with(&["serve"], &environment);
        world.published("dijk", "De dijk").await;
        let another = world.peer.account("tweede");
        another.follows(&world.gateway).await;
        let find = |name: &str| spans.lock().unwrap().iter().find(|(n, _)| n == name).map(|(_, says)| says.clone());
        for name in ["poll", "publish", "deliver", "receive"] {
            until(&format!("a span {name} came"), || find(name).is_some()).await;
        }
        let (poll, deliver) = (find("poll").unwrap(), find("deliver").unwrap());
        assert_eq!((poll["source.name"].as_str(), poll["service.name"].as_str()), ("persberichten", "heraut"));
        assert_eq!(deliver["delivery.inbox_host"], world.peer.authority());
        assert_eq!(world.gateway.stop().await.code(), Some(0));
    }

    async fn a_collector_that_is_away_disturbs_nothing(db: Database) {
        let mut world = World::with(db, Setup::new()).await;
        world.gateway.stop().await;
        world.gateway.spawn_with(&["serve"], &[("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:9")]);
        world.published("dijk", "De dijk").await;
        assert_eq!(world.gateway.stop().await.code(), Some(0), "{}", world.gateway.log());
    }
}
