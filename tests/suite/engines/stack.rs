//! The whole `template.yaml` on a local AWS: ministack's CloudFormation with the real SAM transform, API Gateway,
//! Lambda (real `bootstrap` processes), S3, DynamoDB, SQS, Scheduler, Secrets Manager, and IAM, which enforces every
//! policy.
//!
//! `stack.py` deploys as `sam deploy` does: it packs each `bootstrap`, uploads it to a bucket, and creates the stack.
//! Dropping a [`Stack`] removes it again. The differences from AWS, and how the tests deal with them:
//!
//! | ministack 1.5.33 | in these tests |
//! |---|---|
//! | has no CodeDeploy: `Unrecognized resource types` | `CanaryDeployment` is off |
//! | passes the defaults of the parameters to the SAM transform, not their values | the default is edited in the template's text |
//! | does not speak TLS, and enforces the policies that require it | those three conditions are inverted |
//! | stores `MaximumConcurrency` as text if a parameter sets it: the poller fails with `'>=' not supported` | it is set again, as a number, after the deployment |
//! | serves an API below a path, or under a host name that does not resolve | [`Stack::url`] is a small proxy in front |
//! | runs functions as processes of one machine, with one `/tmp` | the cache in that folder is off |
//! | passes a gzipped JSON body on as text, and loses every byte that is not text | the function is invoked with the body in base64; AWS does not document that it passes such a body on intact |
//! | adds the `content-type` of JSON to an answer without one | it is removed from answers without content: 204, 304 |
//! | refuses `OPTIONS` with 403 `CORS not configured` before it looks at routes | the function is invoked with AWS's event for the request: without CORS settings of the API, AWS passes it to the route |
//! | applies no lifecycle to the bucket, no TTL and no point-in-time recovery to the table | `tests/template.py` checks the text |
//! | writes no access log, throttles nothing, raises no alarm, and ignores `Architectures`, memory and VPC | `tests/template.py`, cfn-lint |
//! | checks a JWT's signature only if it can fetch the issuer's keys | the service's own check is tested, and the gateway's 401 is seen |
//! | lets any caller assume a role without a check of the role's trust policy, except for Scheduler's | – |
//!
//! As on AWS, the path arrives decoded (`%3A` is `:`, and `lambda_http` encodes `%20` again), a query as it was sent,
//! the values of a header joined by commas, binary bodies intact in both directions, and HEAD as a route of its own. If
//! an answer holds a header twice, only the first value arrives.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use serde_json::{Value, json};
use tempfile::TempDir;

use super::front::Front;
use super::{Process, free_port, runtime, tool, unique};

/// The access key of the account's root, which the engine accepts.
pub const ACCESS_KEY: &str = "AKIACREDLINKTESTS";
/// The secret of that key.
pub const SECRET: &str = "a secret of the tests";
/// The region of all resources.
pub const REGION: &str = "eu-central-1";

/// The functions' binaries.
#[derive(Debug, Clone)]
pub struct Bootstraps {
    /// Handles POST and PUT.
    pub store: PathBuf,
    /// Handles GET and HEAD.
    pub retrieve: PathBuf,
    /// Handles DELETE.
    pub delete: PathBuf,
    /// Handles the queue.
    pub migrate: PathBuf,
    /// Handles the queue of uploads.
    pub finalise: PathBuf,
    /// Handles the schedule.
    pub cleanup: PathBuf,
}

impl Bootstraps {
    /// The six that cargo built beside this one, stripped of debug information, which halves their size.
    pub fn built() -> &'static Self {
        static BUILT: OnceLock<(TempDir, Bootstraps)> = OnceLock::new();
        let (_, built) = BUILT.get_or_init(|| {
            let folder = tempfile::tempdir().expect("a folder for binaries");
            let stripped = |name: &str| {
                let path = folder.path().join(name);
                let done = Command::new("strip").arg("-o").arg(&path).arg(runtime::built(name)).status();
                assert!(done.is_ok_and(|status| status.success()), "strip comes with the C compiler");
                path
            };
            let (store, retrieve, delete) = (stripped("store"), stripped("retrieve"), stripped("delete"));
            let (migrate, finalise) = (stripped("migrate"), stripped("finalise"));
            let all = Self { store, retrieve, delete, migrate, finalise, cleanup: stripped("cleanup") };
            (folder, all)
        });
        built
    }

    /// One binary for all of them.
    pub fn all(path: &Path) -> Self {
        let path = || path.to_owned();
        Self {
            store: path(),
            retrieve: path(),
            delete: path(),
            migrate: path(),
            finalise: path(),
            cleanup: path(),
        }
    }
}

/// A local AWS used by one test.
#[derive(Debug)]
pub struct Engine {
    endpoint: String,
    _process: Process,
}

/// Runs a command in a temporary folder, which is removed when the command has ended, in whatever way. The engine
/// unpacks each function there.
const IN_A_FOLDER: &str = "folder=$(mktemp -d) && cd \"$folder\" && export TMPDIR=$folder || exit 1; \
    (while kill -0 $$; do sleep 0.5; done; sleep 1; rm -rf \"$folder\") </dev/null >/dev/null 2>&1 & exec \"$@\"";

impl Engine {
    /// Starts an engine. The functions see `environment` too: `AWS_ENDPOINT_URL_DYNAMODB` directs them to another
    /// DynamoDB.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        let port = free_port();
        let endpoint = format!("http://127.0.0.1:{port}");
        let mut command = Command::new("bash");
        command.args(["-c", IN_A_FOLDER, "engine"]).arg(tool("python/bin/ministack"));
        for name in ["AWS_SESSION_TOKEN", "AWS_PROFILE", "SERVICES"] {
            command.env_remove(name);
        }
        command
            .env("GATEWAY_PORT", port.to_string())
            .env("BIND_HOST", "127.0.0.1")
            .env("MINISTACK_HOST", "localhost")
            .env("MINISTACK_REGION", REGION)
            .env("AUTH", "true")
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            // The endpoint that the functions call. Without it they would call AWS.
            .env("AWS_ENDPOINT_URL", &endpoint)
            // Closes ports that no test needs.
            .env("IOT_MTLS_ENABLED", "0")
            .env("SFTP_ENABLED", "0")
            .env("S3_PERSIST", "0")
            .env("PERSIST_STATE", "0")
            .env("LOG_LEVEL", "ERROR")
            .envs(environment.iter().copied());
        let mut process = Process::start(&command);
        process.wait_for_port(port);
        process.silence();
        Self { endpoint, _process: process }
    }

    /// The address of all services.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Deploys `template.yaml` with `parameters`, which refer to `secrets`, and waits until the stack is complete.
    ///
    /// `name` has lower-case letters, digits and hyphens. `PublicUrl` is set to [`Stack::url`].
    pub fn deploy(
        &self,
        name: &str,
        bootstraps: &Bootstraps,
        parameters: &[(&str, &str)],
        secrets: &[(&str, &str)],
    ) -> Stack<'_> {
        self.try_deploy(name, bootstraps, parameters, secrets).unwrap_or_else(|error| panic!("{error}"))
    }

    /// Like [`deploy`](Self::deploy), but returns the reason if the stack was refused.
    pub fn try_deploy(
        &self,
        name: &str,
        bootstraps: &Bootstraps,
        parameters: &[(&str, &str)],
        secrets: &[(&str, &str)],
    ) -> Result<Stack<'_>, String> {
        let front = Front::listen();
        let mut parameters: BTreeMap<&str, &str> = parameters.iter().copied().collect();
        parameters.entry("PublicUrl").or_insert(front.url());
        // The architecture for which the processes are built, whether the engine checks it or not.
        parameters.entry("Architecture").or_insert(if cfg!(target_arch = "x86_64") {
            "x86_64"
        } else {
            "arm64"
        });
        let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
        let mut command = self.script("up", name);
        let secrets: BTreeMap<&str, &str> = secrets.iter().copied().collect();
        command.arg(template).arg(json!(parameters).to_string()).arg(json!(secrets).to_string());
        for (function, path) in [
            ("store", &bootstraps.store),
            ("retrieve", &bootstraps.retrieve),
            ("delete", &bootstraps.delete),
            ("migrate", &bootstraps.migrate),
            ("finalise", &bootstraps.finalise),
            ("cleanup", &bootstraps.cleanup),
        ] {
            command.arg(format!("{function}={}", path.display()));
        }
        let outputs = serde_json::from_str(&run(&mut command)?).expect("the script prints a JSON object");
        let stack = Stack { engine: self, name: name.to_owned(), outputs, front };
        let api = format!("/_aws/execute-api/{}", stack.output("ApiId"));
        stack.front.lead_to(self.endpoint.trim_start_matches("http://"), &api);
        Ok(stack)
    }

    /// Calls Lambda's API. Returns `true` if a function failed, and the answer. The engine checks only the access key.
    fn lambda(&self, method: &str, path: &str, body: &Value) -> (bool, Value) {
        let key = format!("{ACCESS_KEY}/20261121/{REGION}/lambda/aws4_request");
        let credential = format!("AWS4-HMAC-SHA256 Credential={key}, SignedHeaders=host, Signature=0");
        let request = http::Request::builder().method(method).uri(format!("{}{path}", self.endpoint));
        let request = request.header("authorization", credential).header("content-type", "application/json");
        let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
        let mut response = agent.run(request.body(body.to_string()).unwrap()).unwrap();
        let failed =
            response.headers().contains_key("x-amz-function-error") || !response.status().is_success();
        let text = response.body_mut().read_to_string().unwrap();
        (failed, serde_json::from_str(&text).unwrap_or_else(|_| text.into()))
    }

    fn script(&self, command: &str, stack: &str) -> Command {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("suite/engines/stack.py");
        let mut python = Command::new(tool("python/bin/python"));
        python.arg(script).args([command, &self.endpoint, stack]);
        python
            .env("AWS_ACCESS_KEY_ID", ACCESS_KEY)
            .env("AWS_SECRET_ACCESS_KEY", SECRET)
            .env("AWS_DEFAULT_REGION", REGION)
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env_remove("AWS_SESSION_TOKEN")
            .env_remove("AWS_PROFILE")
            .env_remove("AWS_ENDPOINT_URL");
        python
    }
}

/// A deployed stack, which is removed when this is dropped.
#[derive(Debug)]
pub struct Stack<'a> {
    engine: &'a Engine,
    name: String,
    outputs: BTreeMap<String, String>,
    front: Front,
}

impl Stack<'_> {
    /// The API's URL, without a trailing slash.
    pub fn url(&self) -> &str {
        self.front.url()
    }

    /// An output of the template: `BucketName`, `TableName`, `QueueUrl`, `CleanupFunctionArn` and so on.
    pub fn output(&self, name: &str) -> &str {
        self.outputs.get(name).unwrap_or_else(|| panic!("{name} is not among {:?}", self.outputs))
    }

    /// Invokes the function whose ARN is this output, and returns its answer or its error.
    pub fn invoke(&self, function: &str, event: &Value) -> Result<Value, Value> {
        let arn = self.output(function);
        let path = format!("/2015-03-31/functions/{}/invocations", arn.replace(':', "%3A"));
        let (failed, answer) = self.engine.lambda("POST", &path, event);
        if failed { Err(answer) } else { Ok(answer) }
    }

    /// Publishes the function whose ARN is this output again, as a deployment does. No process of the previous version
    /// serves its alias afterwards.
    pub fn renew(&self, function: &str) {
        let arn = self.output(function);
        let name = arn.split(':').nth(6).expect("an ARN names its function");
        let function = format!("/2015-03-31/functions/{name}");
        let told = |method: &str, path: &str, body: Value| {
            let (_, answer) = self.engine.lambda(method, &format!("{function}/{path}"), &body);
            assert!(answer["Version"].is_string() || answer["AliasArn"].is_string(), "{path}: {answer}");
            answer
        };
        told("PUT", "configuration", json!({"Description": unique("renewed")}));
        let version = told("POST", "versions", json!({}));
        told("PUT", "aliases/live", json!({"FunctionVersion": version["Version"]}));
    }

    /// The rights of each function's role, one role per line.
    pub fn rights(&self) -> String {
        run(&mut self.engine.script("rights", &self.name)).unwrap_or_else(|error| panic!("{error}"))
    }
}

impl Drop for Stack<'_> {
    fn drop(&mut self) {
        let done = self.engine.script("down", &self.name).status();
        if !std::thread::panicking() {
            assert!(done.is_ok_and(|status| status.success()), "the stack stays");
        }
    }
}

/// Runs the script, and returns its output, or its error message if it fails.
fn run(command: &mut Command) -> Result<String, String> {
    let output = command.output().expect("Python is there");
    let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}
