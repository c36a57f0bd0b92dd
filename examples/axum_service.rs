//! A service in which every request sees one snapshot, and whose pool follows its password.
//!
//! `cargo run --example axum_service` runs it over a store in memory, plays a few requests and a rotation, and ends.
//! With `AZURE_APPCONFIG_ENDPOINT` set, it serves that store on port 8080 until Ctrl-C.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{FromRef, Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use config::{Config, Environment};
use config_azure::{
    AppConfiguration, AppConfigurationBuilder, Current, Derived, KeyVaultOptions, Live, Loaded,
    RefreshOptions, Secret,
};
use serde::Deserialize;
use tokio::net::TcpListener;

/// The application's own struct, and nothing but serde on it.
#[derive(Deserialize)]
pub struct Settings {
    greeting: String,
    db: Database,
}

/// `PartialEq` is what tells whether the pool must be built anew.
#[derive(Deserialize, PartialEq)]
pub struct Database {
    host: String,
    user: String,
    password: Secret,
}

/// What handlers share. All of it is cheap to clone.
#[derive(Clone)]
pub struct App {
    pub azure: AppConfiguration,
    pub settings: Live<Settings>,
    pub pool: Derived<Pool>,
}

impl App {
    /// Loads, builds the first pool, and keeps both current from then on.
    pub async fn start(
        builder: AppConfigurationBuilder,
        server: Server,
    ) -> Result<Self, Box<dyn Error>> {
        let azure = builder.load().await?;
        let settings: Live<Settings> = azure
            .live(
                Config::builder()
                    .add_source(azure.clone())
                    .add_source(Environment::with_prefix("GREETER").separator("__")),
            )
            .await?;
        let pool = settings
            .derive(
                |settings| &settings.db,
                move |database| {
                    let server = server.clone();
                    async move { server.connect(&database).await }
                },
            )
            .await?;
        Ok(Self {
            azure,
            settings,
            pool,
        })
    }

    pub fn router(self) -> Router {
        Router::new()
            .route("/hello/{name}", get(hello))
            .route("/health", get(health))
            .route("/debug/config", get(debug))
            .with_state(self)
    }
}

/// One snapshot per request: taken once, by the extractor, and kept to the end.
impl FromRef<App> for Arc<Current<Settings>> {
    fn from_ref(app: &App) -> Self {
        app.settings.load()
    }
}

/// The pool that is current when the request begins; a request in flight finishes on the one it has.
impl FromRef<App> for Arc<Pool> {
    fn from_ref(app: &App) -> Self {
        app.pool.load()
    }
}

async fn hello(
    State(settings): State<Arc<Current<Settings>>>,
    State(pool): State<Arc<Pool>>,
    Path(name): Path<String>,
) -> Result<String, StatusCode> {
    let visits = pool.visit().map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(format!("{}, {name}! Visit {visits}.", settings.greeting))
}

/// For a readiness probe: what is served is fresh, and newer values are not being refused.
async fn health(State(app): State<App>) -> Response {
    let store = app.azure.status();
    let (settings, pool) = (app.settings.status(), app.pool.status());
    let good =
        !store.is_stale(Duration::from_secs(600)) && settings.is_current() && pool.is_current();
    let status = if good {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let age = store.age.unwrap_or_default();
    let text = format!(
        "store: generation {}, known to be the newest {age:?} ago\nsettings: {settings}\npool: {pool}\n",
        store.generation
    );
    (status, text).into_response()
}

/// The whole tree as JSON, every secret redacted by the library.
async fn debug(State(app): State<App>) -> Result<Response, StatusCode> {
    let loaded: Arc<Loaded> = app.azure.loaded().ok_or(StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Json(&*loaded).into_response())
}

/// Stands for a database server: it knows which passwords are good.
#[derive(Clone, Default)]
pub struct Server(Arc<Mutex<State_>>);

#[derive(Default)]
struct State_ {
    passwords: Vec<String>,
    visits: u64,
}

impl Server {
    /// From now on this password is good, too. Old ones stay good: a rotation needs both for a while.
    pub fn admit(&self, password: &str) {
        self.with(|state| state.passwords.push(password.to_owned()));
    }

    /// This password is no longer good.
    pub fn dismiss(&self, password: &str) {
        self.with(|state| state.passwords.retain(|own| own != password));
    }

    async fn connect(&self, database: &Database) -> Result<Pool, WrongPassword> {
        let pool = Pool {
            server: self.clone(),
            address: format!("{}@{}", database.user, database.host),
            password: database.password.clone(),
        };
        // A pool that cannot log in is no pool: the old one stays.
        pool.check().map(|()| pool)
    }

    fn with<R>(&self, run: impl FnOnce(&mut State_) -> R) -> R {
        run(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Stands for a connection pool.
pub struct Pool {
    server: Server,
    address: String,
    password: Secret,
}

impl Pool {
    fn check(&self) -> Result<(), WrongPassword> {
        let own = self.password.expose_secret();
        let good = self
            .server
            .with(|state| state.passwords.iter().any(|good| good == own));
        if good {
            Ok(())
        } else {
            Err(WrongPassword(self.address.clone()))
        }
    }

    fn visit(&self) -> Result<u64, WrongPassword> {
        self.check()?;
        Ok(self.server.with(|state| {
            state.visits += 1;
            state.visits
        }))
    }
}

/// The server refused the password.
#[derive(Debug)]
pub struct WrongPassword(String);

impl std::fmt::Display for WrongPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} refused the password", self.0)
    }
}

impl Error for WrongPassword {}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    match std::env::var("AZURE_APPCONFIG_ENDPOINT") {
        Ok(_) => serve().await,
        Err(_) => demonstrate().await,
    }
}

/// A real store: keys `greeting`, `db:host`, `db:user`, and `db:password` as a Key Vault reference.
async fn serve() -> Result<(), Box<dyn Error>> {
    let builder = AppConfigurationBuilder::from_env()?;
    // The stand-in for a database admits whatever password the vault holds.
    let server = Server::default();
    let azure = builder.clone().load().await?;
    let settings: Live<Settings> = azure
        .live(Config::builder().add_source(azure.clone()))
        .await?;
    server.admit(settings.load().db.password.expose_secret());
    let app = App::start(builder, server).await?;
    let listener = TcpListener::bind("0.0.0.0:8080").await?;
    println!("listening on {}", listener.local_addr()?);
    let stop = async { tokio::signal::ctrl_c().await.unwrap_or_default() };
    axum::serve(listener, app.router())
        .with_graceful_shutdown(stop)
        .await?;
    Ok(())
}

/// A store in memory, a few requests, a rotation.
async fn demonstrate() -> Result<(), Box<dyn Error>> {
    let (builder, store) = config_azure::in_memory();
    store.set("greeting", "Hello");
    store.set("db:host", "db.contoso.example");
    store.set("db:user", "greeter");
    store.set_secret("db:password", "spring");
    let server = Server::default();
    server.admit("spring");
    let second = Duration::from_secs(1);
    let builder = builder
        .refresh(RefreshOptions::new().every(second))
        .key_vault(KeyVaultOptions::new().refresh_interval(second));
    let app = App::start(builder, server.clone()).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(axum::serve(listener, app.clone().router()).into_future());
    let get = |path: &'static str| async move {
        let answer = reqwest::get(format!("http://{address}{path}")).await?;
        println!(
            "GET {path}\n  {} {}",
            answer.status(),
            answer.text().await?.trim_end()
        );
        Ok::<_, reqwest::Error>(())
    };
    get("/hello/Ada").await?;
    get("/health").await?;
    get("/debug/config").await?;

    println!(
        "\nthe greeting changes, and the password is rotated: new one admitted first, old one dismissed last"
    );
    let (mut settings, mut pool) = (app.settings.clone(), app.pool.clone());
    server.admit("summer");
    store.set("greeting", "Welcome");
    store.rotate("db:password", "summer");
    settings.changed().await?;
    pool.changed().await?;
    server.dismiss("spring");
    get("/hello/Ada").await?;
    get("/health").await?;
    app.azure.shutdown().await;
    Ok(())
}
