use antiphon::ErrorCodes;

#[derive(ErrorCodes)]
enum Shop {
    #[code(1)]
    #[message("only {count} left")]
    Few { left: u32 },
    #[code(2)]
    #[message("{} left")]
    Empty(u32),
    #[code(3)]
    #[message("{left}")]
    NoFields,
    #[code(4)]
    #[message(left)]
    NoText,
}

fn main() {}
