//! Destinations and sources by their names, over the engines.

use std::fs;
use std::time::Duration;

use aws_sdk_dynamodb::config::SharedCredentialsProvider;
use credlink_aws::{http_client, sdk_config};
use credlink_core::legacy::LegacyRecord;
use credlink_core::rules::store::Draft;
use credlink_core::tenant::Tenant;
use credlink_deployment::configuration::{Configuration, Variables};
use credlink_deployment::deployment::Surroundings;
use credlink_deployment::migration::destination::{AnyDestination, Making, OpenError, Opening};
use credlink_deployment::migration::source::AnySource;
use credlink_ports::migration::target::{AliasDraft, Payload, Target};
use credlink_ports::migration::{Depth, Destination as _, ExistingState, Imported, Source as _, Verdict};

use crate::buckets;
use crate::engines::{dynoxide, ministack, r2, unique};
use crate::migrate::ground::{id, items, legacy, payload};
use crate::server::Server;

fn draft(name: &str) -> Draft {
    LegacyRecord::parse(legacy(name).as_bytes()).unwrap().draft(Tenant::default())
}

fn opening<'a>(variables: &'a Variables<'a>) -> Opening<'a> {
    Opening {
        variables,
        token: None,
        data_folder: None,
        tenant: None,
        making: Making::Allowed,
        surroundings: None,
    }
}

/// Imports a proof and finds it again.
async fn use_it(destination: &AnyDestination) {
    assert_eq!(destination.find(&Target::Proof(id("a"))).await.unwrap(), ExistingState::Absent);
    let Imported::Stored(copy) = destination.import(&payload(&[draft("a")])).await.unwrap() else {
        panic!("it is stored")
    };
    for depth in [Depth::Checksum, Depth::Content] {
        let verdict = destination.verify(&copy, depth).await.unwrap();
        assert!(matches!(verdict, Verdict::Verified { .. }), "{verdict:?}");
    }
    assert_eq!(destination.list(None, 10).await.unwrap().items, [id("a")]);
    destination.finish().await.unwrap();
}

/// Values of the environment that must have no effect.
fn misleading(name: &str) -> Option<String> {
    let value = match name {
        "STORAGE_PROVIDER" => "s3",
        "STORAGE_BUCKET" => "another",
        "CREDLINK_TABLE" => "another",
        "STORAGE_FALLBACK_PROVIDER" => "folder",
        _ => return None,
    };
    Some(value.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_folder_is_the_one_that_is_served() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("new");
    let place = format!("dir:{}", path.display()).parse().unwrap();
    let variables = Variables::new(misleading);
    let looking = Opening { making: Making::Refused, ..opening(&variables) };
    let unmade = AnyDestination::open(&place, looking).await.unwrap();
    assert_eq!(unmade.find(&Target::Proof(id("a"))).await.unwrap(), ExistingState::Absent);
    assert!(unmade.list(None, 10).await.unwrap().items.is_empty());
    assert!(unmade.import(&payload(&[draft("a")])).await.is_err());
    assert!(!path.exists(), "nothing is made by looking");
    {
        let destination = AnyDestination::open(&place, opening(&variables)).await.unwrap();
        use_it(&destination).await;
        let second = AnyDestination::open(&place, opening(&variables)).await.unwrap_err();
        assert!(second.to_string().contains("used by another process"), "{second}");
    }
    let server = Server::over(&path, &[]);
    assert_eq!(server.leads_to("/v1/proofs/old-a"), id("a").to_string());
}

/// A caller that does not mention tenants works as the last server over the folder did.
#[tokio::test(flavor = "multi_thread")]
async fn who_says_one_tenant_over_a_folder_of_several_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data");
    drop(Server::with(&path, &[], &[("CREDLINK_TENANTS", "several")]));
    let place = format!("dir:{}", path.display()).parse().unwrap();
    let open = async |said: Option<&str>| {
        let said = said.map(str::to_owned);
        let variables = Variables::new(move |name| said.clone().filter(|_| name == "CREDLINK_TENANTS"));
        // A process that another test starts inherits the folder's lock until it runs its program.
        for _ in 0..100 {
            match AnyDestination::open(&place, opening(&variables)).await {
                Err(error) if error.to_string().contains("used by another process") => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                opened => return opened,
            }
        }
        AnyDestination::open(&place, opening(&variables)).await
    };
    for said in [None, Some("several")] {
        drop(open(said).await.unwrap());
    }
    let refused = open(Some("one")).await.unwrap_err().to_string();
    for part in ["several tenants (CREDLINK_TENANTS=several)", "here it would be with one tenant."] {
        assert!(refused.contains(part), "{refused}");
    }
    let unknown = open(Some("two")).await.unwrap_err().to_string();
    assert!(unknown.contains("CREDLINK_TENANTS is `two`"), "{unknown}");
}

#[tokio::test]
async fn what_is_no_destination_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("a.json"), legacy("a")).unwrap();
    let variables = Variables::new(|_| None);
    let refused = async |text: &str| -> OpenError {
        AnyDestination::open(&text.parse().unwrap(), opening(&variables)).await.unwrap_err()
    };
    let foreign = refused(&format!("dir:{}", folder.path().display())).await.to_string();
    assert!(foreign.contains("and no CredLink"), "{foreign}");
    assert!(matches!(refused("jsonl:x.jsonl").await, OpenError::Location(_)));
    assert!(matches!(refused("s3://bucket/prefix").await, OpenError::Location(_)));
    let unset = refused("r2://bucket").await.to_string();
    assert!(unset.contains("R2_ACCESS_KEY_ID is not set"), "{unset}");
    let unset = refused("s3://bucket").await.to_string();
    assert!(unset.contains("set CREDLINK_TABLE, or name --data-dir"), "{unset}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_r2_has_its_index_in_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("index of r2");
    let bucket = r2::bucket();
    let variables = Variables::new(|name| {
        let value = match name {
            "R2_ENDPOINT" => r2::endpoint(),
            "R2_ACCESS_KEY_ID" => r2::ACCESS_KEY,
            "R2_SECRET_ACCESS_KEY" => r2::SECRET,
            "R2_BUCKET" => "another",
            "STORAGE_PROVIDER" => "folder",
            "STORAGE_TIMEOUT" => "120000",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let place = format!("r2://{bucket}").parse().unwrap();
    let with_folder = |making| Opening { data_folder: Some(&data), making, ..opening(&variables) };
    let unmade = AnyDestination::open(&place, with_folder(Making::Refused)).await.unwrap();
    assert!(matches!(unmade, AnyDestination::Unmade { name: "r2", .. }) && !data.exists());
    let destination = AnyDestination::open(&place, with_folder(Making::Allowed)).await.unwrap();
    use_it(&destination).await;
    // The same name as a source: its content is a proof.
    let source = AnySource::open(&place, &variables, None).await.unwrap();
    assert_eq!(source.name(), "r2");
    let keys: Vec<_> = items(&source, 10).await.into_iter().map(|item| item.key).collect();
    assert_eq!(keys, [format!("proofs/{}", id("a"))]);
}

/// A legacy store that the destination is served beside keeps the IDs of its records for its tenant, also where the file
/// of a record has another name than the record.
#[tokio::test(flavor = "multi_thread")]
async fn an_id_of_a_legacy_store_beside_the_destination_is_its_tenants() {
    let folder = tempfile::tempdir().unwrap();
    let (data, records) = (folder.path().join("index"), folder.path().join("records"));
    fs::create_dir(&records).unwrap();
    fs::write(records.join("another-name.json"), legacy("b")).unwrap();
    let (bucket, beside) = (r2::bucket(), format!("dir:{}", records.display()));
    let variables = Variables::new(|name| {
        let value = match name {
            "R2_ENDPOINT" => r2::endpoint(),
            "R2_ACCESS_KEY_ID" => r2::ACCESS_KEY,
            "R2_SECRET_ACCESS_KEY" => r2::SECRET,
            "STORAGE_TIMEOUT" => "120000",
            "CREDLINK_TENANTS" => "several",
            "CREDLINK_LEGACY_SOURCE" => &*beside,
            "CREDLINK_LEGACY_TENANT" => "acme",
            _ => return None,
        };
        Some(value.to_owned())
    });
    let place = format!("r2://{bucket}").parse().unwrap();
    let opening = Opening { data_folder: Some(&data), ..opening(&variables) };
    let destination = AnyDestination::open(&place, opening).await.unwrap();
    let import = async |payload: Payload| destination.import(&payload).await.unwrap();
    let is_refused = |imported: &Imported| match imported {
        Imported::Refused { kind, .. } => kind == "alias-conflict",
        _ => false,
    };

    let taken = import(payload(&[draft("b")])).await;
    assert!(is_refused(&taken), "{taken:?}");
    assert_eq!(destination.find(&Target::Proof(id("b"))).await.unwrap(), ExistingState::Absent);
    let stored = import(payload(&[draft("a")])).await;
    assert!(matches!(stored, Imported::Stored(_)), "an ID that the legacy store does not have: {stored:?}");
    let (Draft { manifest, signature, tenant, .. }, proof) = (draft("a"), id("a"));
    let (id, manifest_sha256) = ("old-b".parse().unwrap(), *manifest.sha256());
    let named = import(Payload::Alias(AliasDraft { id, proof, manifest_sha256, signature, tenant })).await;
    assert!(is_refused(&named), "{named:?}");

    let own = LegacyRecord::parse(legacy("b").as_bytes()).unwrap().draft("acme".parse().unwrap());
    let stored = import(payload(&[own])).await;
    assert!(matches!(stored, Imported::Stored(_)), "the tenant of the legacy store: {stored:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bucket_of_s3_has_its_index_in_a_table() {
    let bucket = unique("places");
    buckets::make(&bucket).await;
    let index = dynoxide::index().await;
    let variables = Variables::new(|name| {
        let value = match name {
            "STORAGE_REGION" => ministack::REGION,
            "STORAGE_ENDPOINT" => ministack::endpoint(),
            "STORAGE_TIMEOUT" => "120000",
            "CREDLINK_TABLE" => index.table(),
            _ => return None,
        };
        Some(value.to_owned())
    });
    let configuration = Configuration::read(&variables).unwrap();
    let credentials = buckets::credentials(ministack::ACCESS_KEY, ministack::SECRET);
    let aws = sdk_config(http_client(), Some(ministack::REGION), &configuration.limits).await;
    let aws = aws.into_builder().credentials_provider(SharedCredentialsProvider::new(credentials)).build();
    let dynamodb = Some(dynoxide::endpoint().to_owned());
    let surroundings = Surroundings { aws, dynamodb, ..Surroundings::of(&configuration).await };
    let opening = Opening { surroundings: Some(surroundings), ..opening(&variables) };
    let place = format!("s3://{bucket}").parse().unwrap();
    let destination = AnyDestination::open(&place, opening).await.unwrap();
    assert_eq!(destination.name(), "s3");
    use_it(&destination).await;
}

#[tokio::test]
async fn sources_are_opened_by_what_they_hold() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("dump.jsonl"), format!("{}\n", legacy("a"))).unwrap();
    let open =
        async |text: String| AnySource::open(&text.parse().unwrap(), &Variables::new(|_| None), None).await;
    let path = folder.path().display();
    assert!(matches!(open(format!("dir:{path}")).await.unwrap(), AnySource::Folder(_)));
    assert!(matches!(open(format!("jsonl:{path}/dump.jsonl")).await.unwrap(), AnySource::Lines(_)));
    assert!(matches!(open("credlink:http://127.0.0.1:1".to_owned()).await.unwrap(), AnySource::Remote(_)));
    for (place, says) in [
        (format!("dir:{path}/nowhere"), "nowhere cannot be opened"),
        (format!("dir:{path}/dump.jsonl"), "dump.jsonl cannot be opened"),
        (format!("jsonl:{path}/nowhere"), "nowhere cannot be opened"),
        ("r2://bucket/x".to_owned(), "R2_ACCESS_KEY_ID is not set"),
    ] {
        let error = open(place).await.unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    }
}
