//! The command line.

use crate::environment;
use clap::{Args as ClapArgs, Parser, Subcommand, ValueEnum};
use must::{Environment, Error, Status};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Heading of the options that every command takes. The help shows them after the command's own options.
const GENERAL: &str = "General options";

/// Generate images and videos, and administer the platform that does so
#[derive(Debug, Parser)]
#[command(name = "must", version, about)]
pub(crate) struct Args {
    /// Folder of the database and the results [default: must in the user's data folder]
    #[arg(long, global = true, help_heading = GENERAL, env = "MUST_DATA_DIR", value_parser = environment::path(), value_name = "DIR")]
    data: Option<PathBuf>,
    /// Folder that has one folder of weights for each model [default: models in the data folder]
    #[arg(long, global = true, help_heading = GENERAL, env = "MUST_MODELS_DIR", value_parser = environment::path(), value_name = "DIR")]
    pub(crate) models: Option<PathBuf>,
    /// File of the master keys [default: keys/master.key in the data folder; MUST_ACCOUNTS_KEY holds the key itself]
    #[arg(long, global = true, help_heading = GENERAL, env = "MUST_MASTER_KEY_FILE", value_parser = environment::path(), value_name = "FILE")]
    pub(crate) master_key_file: Option<PathBuf>,
    /// File of the keys that sign the audit log [default: keys/audit.key in the data folder]
    #[arg(long, global = true, help_heading = GENERAL, env = "MUST_AUDIT_KEY_FILE", value_parser = environment::path(), value_name = "FILE")]
    pub(crate) audit_key_file: Option<PathBuf>,
    /// File to which checkpoints of the audit log are appended [default: audit.anchors in the data folder]
    #[arg(long, global = true, help_heading = GENERAL, env = "MUST_AUDIT_ANCHOR_FILE", value_parser = environment::path(), value_name = "FILE")]
    pub(crate) audit_anchor_file: Option<PathBuf>,
    /// Base URL of a platform to use instead of the data folder; MUST_ADMIN_KEY holds its admin key [default of smoke: http://127.0.0.1:8000]
    #[arg(long, global = true, help_heading = GENERAL, value_name = "URL")]
    pub(crate) url: Option<String>,
    /// Print the answer as one JSON value on standard output, and errors as JSON on standard error
    #[arg(long, global = true, help_heading = GENERAL)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a picture or a clip
    Generate(Generate),
    /// Serve the platform over HTTP until interrupted
    Serve(Serve),
    /// List the models and say which can run here
    Models,
    /// Show, cancel and delete tasks
    #[command(subcommand)]
    Tasks(TaskCommand),
    /// List finished tasks, newest first
    Gallery(Page),
    /// Issue, replace and revoke API keys
    #[command(subcommand)]
    Keys(KeyCommand),
    /// Store, replace and revoke secrets, and show their states
    #[command(subcommand)]
    Secrets(SecretCommand),
    /// Register, check and deploy the accounts of workers
    Accounts(Accounts),
    /// Test a running platform with the steps that users do, and write a report; MUST_API_KEY and MUST_ADMIN_KEY hold its keys
    Smoke(Smoke),
    /// Read the audit log, and check that it is whole
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Make a checked copy of the data folder while the platform works
    Backup {
        /// An empty or new folder, on the platform's machine
        folder: PathBuf,
    },
}

/// Options for settings that several commands take.
#[derive(Debug, ClapArgs)]
pub(crate) struct Configured {
    /// File with settings in JSON; arguments and variables override it
    #[arg(long, env = "MUST_CONFIG", value_parser = environment::path(), value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Template for addresses of workspaces, such as https://{workspace}--must.modal.run
    #[arg(long, env = "MUST_WORKER_ADDRESS", value_parser = environment::text(), value_name = "TEMPLATE")]
    pub(crate) worker_address: Option<String>,
    /// Private addresses and networks in which workers may be, separated by commas
    #[arg(long, env = "MUST_WORKER_NETWORKS", value_parser = environment::text(), value_name = "NETWORKS", value_delimiter = ',')]
    pub(crate) worker_networks: Vec<String>,
    /// Program and arguments that deploy a workspace, separated by spaces; {workspace} and {label} are filled in
    #[arg(long, env = "MUST_DEPLOY_COMMAND", value_parser = environment::text(), value_name = "COMMAND", value_delimiter = ' ')]
    pub(crate) deploy_command: Vec<String>,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Accounts {
    #[command(flatten)]
    pub(crate) settings: Configured,
    #[command(subcommand)]
    pub(crate) command: AccountCommand,
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Smoke {
    /// File with the API key, instead of MUST_API_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) api_key_file: Option<PathBuf>,
    /// File with the admin key, instead of MUST_ADMIN_KEY
    #[arg(long, value_name = "FILE")]
    pub(crate) admin_key_file: Option<PathBuf>,
    /// Folder for smoke.md and smoke.json
    #[arg(long, default_value = ".", value_name = "DIR")]
    pub(crate) report: PathBuf,
    /// Seconds that one picture or clip may take
    #[arg(long, default_value_t = 900, value_name = "SECONDS")]
    pub(crate) timeout: u64,
    /// Model for the picture
    #[arg(long, default_value = "tiny-image", value_name = "MODEL")]
    pub(crate) image_model: String,
    /// Model for the clip
    #[arg(long, default_value = "tiny-video", value_name = "MODEL")]
    pub(crate) video_model: String,
    /// Prompt for both
    #[arg(long, default_value = "a red circle moving left")]
    pub(crate) prompt: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Register an account; its tokens are read from standard input, one on each line: token id, token secret and, if there is one, the worker's API key
    Add {
        /// Name of the account
        label: String,
        /// Its workspace [default: the label]
        #[arg(long)]
        workspace: Option<String>,
        /// Base URL [default: made from the template in the settings]
        #[arg(long, value_name = "URL")]
        address: Option<String>,
    },
    /// List all accounts, without their tokens
    List,
    /// Give an account new tokens, read from standard input as by add
    Tokens {
        /// Its id or its workspace
        id: String,
    },
    /// Check a disabled account and enable it
    Enable {
        /// Its id or its workspace
        id: String,
    },
    /// Send no more tasks to an account
    Disable {
        /// Its id or its workspace
        id: String,
    },
    /// Check a worker; exits with 1 when it does not pass
    Health {
        /// Its id or its workspace
        id: String,
    },
    /// Deploy a workspace and check it; exits with 1 when it does not pass
    Deploy {
        /// Its id or its workspace
        id: String,
    },
    /// Deploy every account that is not disabled; exits with 1 when one does not pass
    DeployAll,
    /// Remove an account; its unfinished tasks fail
    Remove {
        /// Its id or its workspace
        id: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Serve {
    /// Address and port; port 0 chooses a free port
    #[arg(long, env = "MUST_ADDR", value_parser = environment::text(), default_value = "127.0.0.1:8000", value_name = "ADDR")]
    pub(crate) addr: String,
    #[command(flatten)]
    pub(crate) settings: Configured,
    /// Origins of pages that may call from another site, separated by commas: https://studio.example, tauri://localhost
    #[arg(long, env = "MUST_FRONTEND_ORIGINS", value_parser = environment::text(), value_name = "ORIGINS", value_delimiter = ',')]
    pub(crate) frontend_origins: Vec<String>,
    /// Addresses and networks of proxies whose X-Forwarded-For is trusted, separated by commas
    #[arg(long, env = "MUST_TRUSTED_PROXIES", value_parser = environment::text(), value_name = "NETWORKS", value_delimiter = ',')]
    pub(crate) trusted_proxies: Vec<String>,
    /// Generation sessions that one address may start in a minute, 1 to 10000; raise it if many people share an address [default: 10]
    #[arg(long, env = "MUST_SESSIONS_PER_MINUTE", value_parser = environment::number(), value_name = "NUMBER")]
    pub(crate) sessions_per_minute: Option<u32>,
    /// Whether people sign in with an access key and see only their own results [default: false]
    #[arg(long, env = "MUST_SIGN_IN_REQUIRED", value_parser = environment::flag(), value_name = "BOOL")]
    pub(crate) sign_in_required: Option<bool>,
    /// Address at which clients reach the server, such as https://example.com/must; absolute addresses in answers begin with it
    #[arg(long, env = "MUST_PUBLIC_URL", value_parser = environment::text(), value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Whether session cookies are for HTTPS only [default: true]
    #[arg(long, env = "MUST_SESSION_COOKIE_SECURE", value_parser = environment::flag(), value_name = "BOOL")]
    pub(crate) session_cookie_secure: Option<bool>,
    /// Path of session cookies: behind a proxy, the path under which the platform is served [default: /]
    #[arg(long, env = "MUST_SESSION_COOKIE_PATH", value_parser = environment::text(), value_name = "PATH")]
    pub(crate) session_cookie_path: Option<String>,
    /// Added to the names of session cookies after an underscore [default: nothing]
    #[arg(long, env = "MUST_SESSION_COOKIE_SUFFIX", value_parser = environment::text(), value_name = "NAME")]
    pub(crate) session_cookie_suffix: Option<String>,
    /// Environment of this platform; provider tokens for another environment are refused [default: dev]
    #[arg(long, env = "MUST_ENVIRONMENT", value_parser = environment::name::<EnvironmentName>(), ignore_case = true, value_name = "ENVIRONMENT")]
    pub(crate) environment: Option<EnvironmentName>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum EnvironmentName {
    Dev,
    Stage,
    Prod,
}

impl From<EnvironmentName> for Environment {
    fn from(name: EnvironmentName) -> Self {
        match name {
            EnvironmentName::Dev => Self::Dev,
            EnvironmentName::Stage => Self::Stage,
            EnvironmentName::Prod => Self::Prod,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a new key; it is shown only once
    Issue {
        /// Name of the key
        name: String,
        /// Days until it ends, 90 at most
        #[arg(long, default_value_t = 90, value_name = "DAYS")]
        valid_for: u64,
    },
    /// List all keys, without the keys themselves
    List,
    /// Replace a key with a new one, which is shown only once
    Rotate {
        /// Id of the old one
        id: String,
        /// Hours that the old key stays valid, 7 days at most
        #[arg(long, default_value_t = 24, value_name = "HOURS")]
        overlap: u64,
    },
    /// Revoke a key and the sessions that were made with it
    Revoke {
        /// Its id
        id: String,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum SecretCommand {
    /// Show the state of every secret, without values
    Status,
    /// Store a secret; its value is read from standard input
    Put {
        /// Name of the secret
        name: String,
    },
    /// Store a provider's token; it is read from standard input
    PutToken {
        /// Name of the token
        name: String,
        /// Scope of the token: inference, model:download
        #[arg(long = "scope", value_name = "SCOPE")]
        scopes: Vec<String>,
        /// Environment that it is for: dev, stage, prod
        #[arg(long = "for")]
        environment: String,
    },
    /// Replace a secret; the new value is read from standard input, except for master_key, audit_key and pepper, which get random values
    Rotate {
        /// Its name
        name: String,
        /// Hours that the old value stays valid
        #[arg(long, default_value_t = 24, value_name = "HOURS")]
        overlap: u64,
    },
    /// Revoke a secret at once
    Revoke {
        /// Its name
        name: String,
        /// Its name again; needed for the pepper, because revoking it ends every API key and session
        #[arg(long, value_name = "NAME")]
        confirm: Option<String>,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AuditCommand {
    /// List events, newest first
    List {
        /// Maximum number of events
        #[arg(long, default_value_t = 100)]
        limit: u32,
        /// Only events with a smaller number
        #[arg(long)]
        before: Option<u64>,
        /// Only this action
        #[arg(long)]
        action: Option<String>,
        /// Only this actor
        #[arg(long)]
        actor: Option<String>,
    },
    /// Check every event, the tree, the checkpoints and the anchors; exits with 1 when the log is not whole
    Verify,
    /// Prove that an event is in the log
    Prove {
        /// Number of the event
        seq: u64,
    },
    /// Write the log into a folder in the tlog-tiles layout
    Export {
        /// An empty or new folder
        folder: PathBuf,
    },
    /// Remove events that are older than this, 90 days at least
    Prune {
        /// Age in days
        #[arg(long, default_value_t = 90, value_name = "DAYS")]
        older_than: u64,
    },
    /// Continue a log that no longer agrees with its anchors, such as that of a restored backup
    Recover {
        /// Reason, which is written into the log
        #[arg(long)]
        reason: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Generate {
    /// What to generate
    pub(crate) prompt: String,
    /// File to write; its extension decides between picture and clip (png, jpg, webp, mp4, webm)
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: PathBuf,
    /// Model [default: tiny-image or tiny-video, by the file's extension]
    #[arg(short, long)]
    pub(crate) model: Option<String>,
    /// Mode of the model [default: the model's own]
    #[arg(long)]
    pub(crate) mode: Option<String>,
    /// What the result should not show
    #[arg(long, value_name = "PROMPT")]
    pub(crate) negative: Option<String>,
    /// The same seed gives the same result; -1 chooses one at random
    #[arg(short, long, allow_negative_numbers = true)]
    pub(crate) seed: Option<i64>,
    /// Any other parameter, such as steps=30; may be given several times
    #[arg(long = "set", value_name = "NAME=VALUE")]
    pub(crate) set: Vec<String>,
    /// An image file for a parameter, such as reference_image=cat.png
    #[arg(long = "image", value_name = "NAME=FILE")]
    pub(crate) images: Vec<String>,
    /// Show no progress bar
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// List tasks, newest first
    List {
        #[command(flatten)]
        page: Page,
        /// Only tasks of this status
        #[arg(long)]
        status: Option<StatusName>,
    },
    /// Show one task
    Show {
        /// Its id
        id: String,
    },
    /// Cancel a task that has not ended
    Cancel {
        /// Its id
        id: String,
    },
    /// Remove an ended task and its files
    Delete {
        /// Its id
        id: String,
    },
}

#[derive(Debug, ClapArgs)]
pub(crate) struct Page {
    /// Number of the page, from 1
    #[arg(long, default_value_t = 1)]
    page: u32,
    /// Tasks on a page, at most 100
    #[arg(long, default_value_t = 20)]
    per_page: u32,
    /// Only tasks of this model
    #[arg(long)]
    model: Option<String>,
    /// Only tasks of this owner; "" for tasks without an owner
    #[arg(long)]
    owner: Option<String>,
}

impl Page {
    /// The arguments of a listing.
    pub(crate) fn query(&self, status: Option<StatusName>) -> Value {
        let status = status.map(|status| Status::from(status).as_str());
        json!({"page": self.page, "per_page": self.per_page, "model": self.model, "owner": self.owner, "status": status})
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum StatusName {
    Pending,
    Processing,
    Done,
    Failed,
}

impl From<StatusName> for Status {
    fn from(name: StatusName) -> Self {
        match name {
            StatusName::Pending => Self::Pending,
            StatusName::Processing => Self::Processing,
            StatusName::Done => Self::Done,
            StatusName::Failed => Self::Failed,
        }
    }
}

impl Args {
    /// Whether the data folder was given and is not the default.
    pub(crate) const fn names_data_dir(&self) -> bool {
        self.data.is_some()
    }

    pub(crate) fn data_dir(&self) -> Result<PathBuf, Error> {
        let user_data = || {
            let base = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
            base.or_else(|| std::env::home_dir().map(|home| home.join(".local/share"))).map(|base| base.join("must"))
        };
        self.data.clone().or_else(user_data).ok_or_else(|| {
            Error::validation("there is no home folder for the data").with_action("Name a folder with --data.")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    /// Variables without an argument. A key on the command line would be seen by every user of the machine.
    const BEYOND_ARGUMENTS: [&str; 5] =
        ["MUST_ACCOUNTS_KEY", "MUST_ADMIN_KEY", "MUST_API_KEY", "MUST_SCRAPE_TOKEN", "MUST_WORKER_API_KEY"];

    #[test]
    fn the_example_environment_names_every_setting_and_no_other() {
        let example = include_str!("../../.env.example");
        let mut named: Vec<&str> = example
            .lines()
            .filter_map(|line| line.trim_start_matches('#').split_once('='))
            .map(|(name, _)| name)
            .filter(|name| name.starts_with("MUST_"))
            .collect();
        named.sort_unstable();
        let command = Args::command();
        let of_all = command.get_arguments();
        let of_commands = command.get_subcommands().flat_map(clap::Command::get_arguments);
        let arguments = of_all.chain(of_commands).filter_map(|argument| argument.get_env()?.to_str());
        let mut known: Vec<&str> = arguments.chain(BEYOND_ARGUMENTS).collect();
        known.sort_unstable();
        known.dedup();
        assert_eq!(named, known);
    }
}
