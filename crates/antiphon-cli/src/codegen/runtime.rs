/// A call of one method, which is sent when it is awaited.
#[must_use = "a call is sent when it is awaited"]
pub struct Call<R> {
    client: Client,
    method: &'static str,
    params: Params,
    result: PhantomData<fn() -> R>,
}

impl<R: DeserializeOwned> Call<R> {
    fn new(client: &Client, method: &'static str, params: impl IntoParams) -> Self {
        Self {
            client: client.clone(),
            method,
            params: params.into_params(),
            result: PhantomData,
        }
    }

    /// The same call with options: an id, a timeout, progress.
    pub fn pending(self) -> PendingCall<R> {
        self.client.call(self.method, self.params)
    }

    /// Adds it to a batch, which begins with [`Client::batch`].
    pub fn add_to(self, batch: &mut Batch) -> Ticket<R> {
        batch.call(self.method, self.params)
    }

    /// Sends it as a notification: the method runs, and its outcome is not told.
    pub fn notify(self) -> CallFuture<()> {
        self.client.notify(self.method, self.params)
    }

    /// Adds it to a batch as a notification.
    pub fn notify_in(self, batch: &mut Batch) {
        batch.notify(self.method, self.params);
    }
}

impl<R: DeserializeOwned> IntoFuture for Call<R> {
    type Output = Result<R, Error>;
    type IntoFuture = CallFuture<R>;

    fn into_future(self) -> CallFuture<R> {
        self.pending().into_future()
    }
}

/// How parameters may be sent.
#[derive(Clone, Copy, PartialEq)]
enum Passing {
    Either,
    ByName,
    ByPosition,
}

/// Parameters on their way.
struct Arguments {
    passing: Passing,
    positional: Params,
    named: Params,
    /// Parameters that were left out, and not followed by others so far.
    left_out: usize,
    /// One was left out before another.
    gap: bool,
}

impl Arguments {
    fn new(passing: Passing) -> Self {
        Self {
            passing,
            positional: Params::none(),
            named: Params::none(),
            left_out: 0,
            gap: false,
        }
    }

    fn required(&mut self, name: &'static str, value: impl Serialize) {
        if self.passing != Passing::ByPosition {
            self.named = take(&mut self.named).insert(name, &value);
        }
        if self.passing != Passing::ByName {
            for _ in 0..take(&mut self.left_out) {
                self.gap = true;
                self.positional = take(&mut self.positional).push(());
            }
            self.positional = take(&mut self.positional).push(&value);
        }
    }

    fn optional(&mut self, name: &'static str, value: Option<impl Serialize>) {
        match value {
            Some(value) => self.required(name, value),
            None => self.left_out += 1,
        }
    }

    /// By position if that is allowed, unless one is left out before another and names are allowed.
    fn finish(self) -> Params {
        match self.passing {
            Passing::ByName => self.named,
            Passing::Either if self.gap => self.named,
            Passing::Either | Passing::ByPosition => self.positional,
        }
    }
}
