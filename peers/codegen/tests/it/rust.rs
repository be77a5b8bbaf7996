//! Tests of the Rust client: it calls the server.

use std::collections::BTreeMap;
use std::time::Duration;

use antiphon::ErrorCode;
use antiphon::client::{Error, StreamError};
use codegen::client::{
    CalcRandomPathsParams, Color, Command, CommandDraw, Either, Event, PageParams, Point, Shape,
    ShapeResult, ShapesDrawersPutParams, TotalParams, WorkshopClient, error_code,
};
use serde_json::json;

fn circle() -> Shape {
    Shape::Circle {
        center: Point::default(),
        radius: 2.0,
    }
}

async fn calls(client: &WorkshopClient) -> Result<(), Error> {
    assert_eq!(client.ping().await?, "pong");
    assert_eq!(client.calc().add(3.0, 4.0).await?, 7.0);
    assert_eq!(
        client.echo(Some(&json!({"a": [1]}))).await?,
        json!({"a": [1]})
    );
    assert_eq!(client.echo(None).await?, json!(null));
    let calc = client.calc();
    // Positional parameters become named ones if an optional parameter is left out before another.
    assert_eq!(
        calc.random_paths(Some(2), Some(1), None).await?,
        [[0.0, 1.0], [0.0, 1.0]]
    );
    assert_eq!(
        calc.random_paths(None, Some(1), Some(0.5)).await?,
        [[0.0, 0.5]]
    );
    let named = CalcRandomPathsParams {
        size: Some(0),
        ..CalcRandomPathsParams::default()
    };
    assert_eq!(calc.random_paths_named(&named).await?, [[0.0]]);
    let words = ["a", "b", "c"].map(str::to_owned);
    assert_eq!(client.page(&words, None, Some(1)).await?, ["b", "c"]);
    let named = PageParams {
        words: words.to_vec(),
        limit: Some(1),
        ..PageParams::default()
    };
    assert_eq!(client.page_named(&named).await?, ["a"]);
    let numbers = BTreeMap::from([("x".to_owned(), 2), ("y z".to_owned(), 3)]);
    assert_eq!(client.total(1, Some(&numbers)).await?, 6);
    let named = TotalParams {
        start: 1,
        extra: Some(numbers),
    };
    assert_eq!(client.total_named(&named).await?, 6);
    assert_eq!(client.total(1, None).await?, 1);
    #[expect(deprecated)]
    let list = client.list();
    assert_eq!(list.await?, (1, None));
    Ok(())
}

async fn shapes(client: &WorkshopClient) -> Result<(), Error> {
    let shapes = client.shapes();
    assert_eq!(shapes.area(&circle()).await?, 12.0);
    let rectangle = Shape::Rectangle {
        height: 2.0,
        width: 3.0,
    };
    assert_eq!(shapes.area(&rectangle).await?, 6.0);
    assert_eq!(shapes.area(&Shape::Nothing).await?, 0.0);
    assert_eq!(shapes.find(Color::Red, None).await?, None);
    let names = BTreeMap::from([("here".to_owned(), Color::DeepBlue)]);
    let found = shapes.find(Color::Red, Some(&names)).await?;
    assert_eq!(found, Some(ShapeResult::Nothing));
    let tree = shapes.tree(2).await?;
    assert_eq!((tree.children.len(), tree.next), (2, None));
    assert_eq!(tree.children[0].children[1].type_, Color::Red);
    assert_eq!(shapes.follow(&Command::Stop).await?, [Event::Cleared]);
    assert_eq!(shapes.follow(&Command::Wait(5)).await?, [Event::Waited(5)]);
    let draw = Command::Draw(CommandDraw {
        shape: Shape::Nothing,
        times: Some(2),
    });
    let drawn = Event::Drawn(ShapeResult::Nothing);
    assert_eq!(shapes.follow(&draw).await?, [drawn.clone(), drawn]);
    let values = [Either::Integer(-1), Either::String("x".to_owned())];
    assert_eq!(shapes.either(&values).await?, values);
    let drawers = shapes.drawers();
    assert_eq!(drawers.put(&Shape::Nothing, 3, Some(true)).await?.drawer, 2);
    drawers.clear().await?;
    Ok(())
}

async fn errors(client: &WorkshopClient) {
    let error = client.calc().divide(1, 0).await.unwrap_err();
    assert_eq!(error.code(), Some(error_code::DIVISION_BY_ZERO), "{error}");
    let drawers = client.shapes().drawers();
    let full = drawers.put(&circle(), 3, None).await.unwrap_err();
    assert_eq!(
        full.code(),
        Some(error_code::DRAWER_DRAWER_IS_FULL),
        "{full}"
    );
    let named = ShapesDrawersPutParams {
        shape: Shape::Nothing,
        drawer: 9,
        try_: None,
    };
    let none = drawers.put_named(&named).await.unwrap_err();
    assert_eq!(
        none.code(),
        Some(error_code::THERE_IS_NO_SUCH_DRAWER),
        "{none}"
    );
    let late = client.ping().pending().timeout(Duration::ZERO).await;
    assert!(late.unwrap_err().is_timeout());
}

async fn batches(client: &WorkshopClient) -> Result<(), Error> {
    let mut batch = client.client().batch();
    let sum = client.calc().add(1.0, 2.0).add_to(&mut batch);
    let quotient = client.calc().divide(1, 0).add_to(&mut batch);
    client.ping().notify_in(&mut batch);
    let area = client.shapes().area(&circle()).add_to(&mut batch);
    let mut responses = batch.send().await?;
    assert_eq!(responses.take(sum)?, 3.0);
    let refused = responses.take(quotient).unwrap_err();
    assert_eq!(refused.code(), Some(ErrorCode(1)));
    assert_eq!(responses.take(area)?, 12.0);
    client.ping().notify().await
}

#[tokio::test]
async fn it_calls_over_http_and_over_a_web_socket() {
    let site = codegen::start().await.unwrap();
    for url in [site.url.clone(), site.web_socket()] {
        let client = WorkshopClient::connect(url).unwrap();
        calls(&client).await.unwrap();
        shapes(&client).await.unwrap();
        errors(&client).await;
        batches(&client).await.unwrap();
    }
}

#[tokio::test]
async fn it_subscribes() {
    let site = codegen::start().await.unwrap();
    let client = WorkshopClient::connect(site.web_socket()).unwrap();
    let mut ticks = client.ticks(Some(3), Some(1)).await.unwrap();
    for expected in 1..=3 {
        assert_eq!(ticks.next().await.unwrap().unwrap(), expected);
    }
    assert!(ticks.next().await.is_none());

    let mut events = client.shapes().watch(Some(Color::Green)).await.unwrap();
    for expected in [Event::Drawn(ShapeResult::Nothing), Event::Cleared] {
        assert_eq!(events.next().await.unwrap().unwrap(), expected);
    }
    match events.next().await {
        Some(Err(StreamError::Failed(error))) => assert_eq!(error.code(), ErrorCode(9)),
        other => panic!("{other:?}"),
    }

    let http = WorkshopClient::connect(&site.url).unwrap();
    assert!(http.ticks(None, None).await.is_err());
}
