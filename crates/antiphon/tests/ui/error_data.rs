use antiphon::ErrorCodes;

#[derive(ErrorCodes)]
enum Shop {
    #[code(1)]
    #[data]
    NoFields,
    #[code(2)]
    #[data]
    Both {
        #[data]
        left: u32,
    },
    #[code(3)]
    Value(#[data(left)] u32),
}

fn main() {}
