//! The configuration that `heraut init` writes.

/// A small `config.toml` for `public_url` with the essential keys: it loads as it is, and shows how an agency, its actor and a
/// source are added.
pub fn starter(public_url: &str) -> String {
    let public_url = toml::Value::from(public_url);
    format!(
        r#"# Configuration of Heraut. Every key, with its default and the reason for it: config.example.toml.
# `heraut check` says what is wrong with this file and what to do about it.

[server]
# The root of every id. Other servers remember it for ever: choose it once.
public_url = {public_url}
# A proxy in front of this address speaks TLS to the world.
listen = ["127.0.0.1:8080"]

[database]
url = "sqlite:heraut.db"

[keys]
# Seals the private keys of all actors. If it is lost, only a backup (`heraut backup`) brings their identities back.
master_key_file = "master.key"

# Take away the # to add an agency, its actor and what feeds it; or use `heraut agency add` and so on.

#[[agency]]
#name = "voorbeeldstad"
#domain = "voorbeeldstad.example"

#[[actor]]
#agency = "voorbeeldstad"
#handle = "nieuws"
#type = "Organization"
#language = "nl"
#name = "Gemeente Voorbeeldstad"

#[[source]]
#name = "persberichten"
#actor = "nieuws"
#kind = "feed"
#url = "https://voorbeeldstad.example/nieuws.rss"
#every = "15m"
"#
    )
}
