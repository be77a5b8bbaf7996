use antiphon::ErrorCodes;

#[derive(ErrorCodes)]
enum Shop {
    Closed,
    #[code("1404")]
    NoNumber,
    #[code(-32001)]
    Reserved,
    #[code(1)]
    First,
    #[code(1)]
    Second,
    #[code(2)]
    #[code(3)]
    Twice,
}

#[derive(ErrorCodes)]
struct NoEnum;

fn main() {}
