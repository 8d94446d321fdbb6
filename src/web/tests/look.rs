//! A world to look at in a browser:
//! `cargo test --lib web::tests::look -- --ignored --nocapture`, for as many seconds as `HERAUT_LOOK_S` says (60).

use image::{ImageFormat, RgbImage};

use super::*;

const LONG: &str = "<p>Het waterschap verwacht vannacht hoog water in de rivier. Blijf weg van de kades en zet uw auto op een \
    hoger gelegen plek.</p><p>Wij werken dit bericht bij als er meer bekend is. Bel bij nood 112.</p>\
    <p><a href=\"https://voorbeeldstad.example/nieuws/hoog-water\">https://voorbeeldstad.example/nieuws/hoog-water</a></p>\
    <p><a href=\"/tags/HoogWater\" rel=\"tag\">#HoogWater</a> <a href=\"/tags/Voorbeeldstad\" rel=\"tag\">#Voorbeeldstad</a></p>";

fn picture(width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let wave = ((x as f32 / 60.0).sin() * 20.0) as i64 + i64::from(y);
        if wave > i64::from(height) / 2 { image::Rgb([40, 90, 140]) } else { image::Rgb([190, 210, 225]) }
    });
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

#[ignore = "serves a world to look at in a browser; it checks nothing"]
#[actix_web::test]
async fn pages_can_be_looked_at() {
    let world = World::at("http://127.0.0.1:8399", "voorbeeldstad.example").await;
    world.published("Stadhuis dicht op maandag").await;
    let held = Content { warning: Some("Foto's van een ongeluk".to_owned()), ..content("Ongeluk op de ring") };
    world.post(PostState::Ready, held).await;
    world
        .post(PostState::Ready, Content { title: None, ..content("Zonder titel, zoals een los bericht dat heeft.") })
        .await;
    let wide = world.picture(Some("De rivier staat tot aan de kade"), &picture(1200, 675), (1200, 675)).await;
    let tall = world.picture(None, &picture(500, 700), (500, 700)).await;
    let title = "Hoog water verwacht: blijf weg van de kades";
    let html = safe(&format!("<p>{title}</p>{LONG}"));
    let flood = Content { html, images: vec![wide, tall], ..content(title) };
    let post = world.post(PostState::Ready, flood.clone()).await;
    world.change(post, Change::Edit(flood)).await;
    let (server, addresses) =
        crate::web::serve(world.gateway.clone(), &["127.0.0.1:8399".parse().unwrap()], Some(1)).unwrap();
    println!("{addresses:?}: / and /@nieuws and /@nieuws/{post}");
    let handle = server.handle();
    actix_web::rt::spawn(server);
    let seconds = std::env::var("HERAUT_LOOK_S").ok().and_then(|text| text.parse().ok()).unwrap_or(60);
    tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
    world.prove(false).await;
    println!("the proof is gone");
    tokio::time::sleep(Duration::from_secs(seconds / 2)).await;
    handle.stop(false).await;
}
