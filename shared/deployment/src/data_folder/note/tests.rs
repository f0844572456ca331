use super::*;
use crate::configuration::value::Variables;

fn configuration(variables: &[(&str, &str)]) -> Configuration {
    let get = |name: &str| variables.iter().find(|(n, _)| *n == name).map(|(_, value)| (*value).to_owned());
    Configuration::read(&Variables::new(get)).unwrap()
}

const WITH_R2: [(&str, &str); 7] = [
    ("STORAGE_FALLBACK_PROVIDER", "r2"),
    ("R2_BUCKET", "credlink"),
    ("R2_ACCOUNT_ID", "0123456789abcdef0123456789abcdef"),
    ("R2_ACCESS_KEY_ID", "id"),
    ("R2_SECRET_ACCESS_KEY", "a secret"),
    ("CREDLINK_EDGE_URL", "https://cdn.example.com"),
    ("CREDLINK_EDGE_TOKEN", "0123456789abcdef0123456789abcdef"),
];

#[test]
fn who_has_less_than_the_server_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let (alone, more) = (Note::of(path, &configuration(&[])), Note::of(path, &configuration(&WITH_R2)));
    assert_eq!(alone, Note::of_the_folder_alone());
    alone.check(path).unwrap();
    more.leave(path).unwrap();
    let text = std::fs::read_to_string(path.join(FILE)).unwrap();
    assert!(!text.contains("secret") && !text.contains("0123"), "{text}");
    more.check(path).unwrap();
    let refused = alone.check(path).unwrap_err().to_string();
    for part in [
        "the second provider r2://credlink (STORAGE_FALLBACK_PROVIDER)",
        "the edge at https://cdn.example.com (CREDLINK_EDGE_URL)",
        "here it would be with no second provider, no queue, no edge.",
    ] {
        assert!(refused.contains(part), "{refused}");
    }
    alone.leave(path).unwrap();
    more.check(path).unwrap();
}

#[test]
fn who_has_one_tenant_where_the_server_had_several_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    assert!(!Note::has_tenants(path).unwrap());
    let several = Note::of(path, &configuration(&[("CREDLINK_TENANTS", "several")]));
    let one = Note::of(path, &configuration(&[]));
    several.leave(path).unwrap();
    let refused = one.check(path).unwrap_err().to_string();
    for part in ["several tenants (CREDLINK_TENANTS=several)", "here it would be with one tenant."] {
        assert!(refused.contains(part), "{refused}");
    }
    several.check(path).unwrap();
    // A command that cannot say how many tenants there are works as the server does.
    Note::check_alone(path).unwrap();
    assert!(Note::has_tenants(path).unwrap());
    // A command that says that there is one tenant is refused.
    assert_eq!(Note::check_one_tenant(path).unwrap_err().to_string(), refused);
    one.leave(path).unwrap();
    assert!(!Note::has_tenants(path).unwrap());
    Note::check_one_tenant(path).unwrap();
    several.check(path).unwrap();
    let text = std::fs::read_to_string(path.join(FILE)).unwrap();
    assert!(
        !text.contains("tenants"),
        "a folder with one tenant has the note that it had before there were more: {text}"
    );
}

#[test]
fn objects_that_stand_elsewhere_are_known() {
    let (folder, disk) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let path = folder.path();
    let elsewhere = configuration(&[("STORAGE_FOLDER", disk.path().to_str().unwrap())]);
    Note::of(path, &elsewhere).leave(path).unwrap();
    let refused = Note::of_the_folder_alone().check(path).unwrap_err().to_string();
    assert!(refused.contains("(STORAGE_FOLDER)"), "{refused}");
    let here = configuration(&[("STORAGE_FOLDER", path.to_str().unwrap())]);
    assert_eq!(Note::of(path, &here), Note::of_the_folder_alone());
}

#[test]
fn what_cannot_be_read_is_no_permission() {
    let folder = tempfile::tempdir().unwrap();
    for text in ["", "{}", "[]", r#"{"version":2,"objects":"x","index":"x","queue":"x"}"#] {
        std::fs::write(folder.path().join(FILE), text).unwrap();
        assert!(Note::of_the_folder_alone().check(folder.path()).is_err(), "{text}");
        assert!(Note::has_tenants(folder.path()).is_err(), "{text}");
    }
}
