"""Our own rules for template.yaml and front.yaml, in addition to those of cfn-lint and SAM.

Each rule is a function that yields what is wrong. Each is also shown to fail: BROKEN changes the template in one place and
names the rule that must notice. `tests/run template` runs this with the Python that has PyYAML and SAM's translator.
"""

import copy
import fnmatch
import logging
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import yaml
from samcli.cli.types import CfnParameterOverridesType
from samtranslator.translator.transform import transform

ROOT = pathlib.Path(__file__).parent.parent
FUNCTIONS = ("Store", "Retrieve", "Delete", "Migrate", "Finalise", "Cleanup")
# Each route that needs a scope, with the lowest scope that it accepts. Every other route is public, and the service checks it.
GUARDED = {
    "POST /v1/proofs": "store:manifests",
    "PUT /v1/proofs/{id}": "store:manifests",
    "POST /v1/manifests": "store:manifests",
    "GET /v1/proofs/{id}/url": "store:manifests",
    "HEAD /v1/proofs/{id}/url": "store:manifests",
    "DELETE /v1/proofs/{id}": "delete:manifests",
    "POST /v1/proofs/batch-delete": "delete:manifests",
    "DELETE /v1/manifests/{id}": "delete:manifests",
    "DELETE /v1/tenants/{tenant}/manifests/{id}": "delete:manifests",
    "PUT /v1/manifests/{id}/visibility": "store:manifests",
    "PUT /v1/tenants/{tenant}/manifests/{id}/visibility": "store:manifests",
    "PUT /v1/manifests/{id}/front": "operator",
    "GET /v1/manifests": "admin",
    "HEAD /v1/manifests": "admin",
    "GET /v1/aliases": "admin",
    "HEAD /v1/aliases": "admin",
    "PUT /v1/aliases/{id}": "admin",
    "DELETE /v1/aliases/{id}": "admin",
    "POST /v1/migrations": "operator",
    "GET /v1/migrations/{job}": "admin",
    "HEAD /v1/migrations/{job}": "admin",
    "DELETE /v1/migrations/{job}": "operator",
    "GET /v1/stats": "operator",
    "HEAD /v1/stats": "operator",
    "POST /v1/uploads": "media:write",
    "POST /v1/uploads/sign": "media:write",
    "GET /v1/uploads/{id}": "media:write",
    "HEAD /v1/uploads/{id}": "media:write",
    "DELETE /v1/uploads/{id}": "media:write",
    "POST /v1/uploads/{id}/parts": "media:write",
    "POST /v1/uploads/{id}/complete": "media:write",
    "GET /v1/files": "media:write",
    "HEAD /v1/files": "media:write",
    "POST /v1/files/batch-delete": "media:write",
    "PATCH /v1/files/{id}": "media:write",
    "DELETE /v1/files/{id}": "media:write",
    "POST /v1/files/{id}/renditions": "media:admin",
    "GET /v1/files/{id}/audit": "media:write",
    "HEAD /v1/files/{id}/audit": "media:write",
    "GET /v1/files/{id}/url": "media:write",
    "HEAD /v1/files/{id}/url": "media:write",
    "PUT /v1/entities/{type}/{id}/{collection}": "media:write",
    "POST /v1/entities/{type}/{id}/{collection}": "media:write",
    "PUT /v1/entities/{type}/{id}/{collection}/only": "media:write",
}
# The scopes that include another one, besides `operator`, which includes all.
INCLUDING = {"operator": set(), "media:write": {"media:admin", "admin"}}


# The resources that may end in a wildcard.
ALL_OF = (
    "${Bucket.Arn}/proofs/*",
    "${Bucket.Arn}/manifests/*",
    "${Bucket.Arn}/fronts/*",
    "${Bucket.Arn}/aliases/*",
    "${Bucket.Arn}/holds/*",
    "${Bucket.Arn}/removed/*",
    "${Bucket.Arn}/uploads/*",
    "${Bucket.Arn}/files/*",
    "${Bucket.Arn}/media/*",
    "arn:${AWS::Partition}:s3:::${LegacyBucket}/*",
    # GuardDuty chooses the rest of the name.
    "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/DO-NOT-DELETE-AmazonGuardDutyMalwareProtectionS3*",
)


# What each function may do with the bytes in quarantine. Store signs the addresses of clients, which have its rights.
QUARANTINE = {
    "Store": {"AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject"},
    "Retrieve": {"GetObject", "ListMultipartUploadParts"},
    "Delete": {"AbortMultipartUpload", "DeleteObject"},
    "Migrate": set(),
    "Finalise": {"AbortMultipartUpload", "DeleteObject", "GetObject", "GetObjectTagging", "ListMultipartUploadParts",
                 "PutObject"},
    "Cleanup": {"AbortMultipartUpload", "DeleteObject", "GetObject", "ListMultipartUploadParts", "PutObject"},
}

# What each function may do with the records of files, and with their bytes. Migrate repairs both, and Retrieve signs the
# addresses of readers, which have its rights.
RECORDS = {
    "Store": {"DeleteObject", "GetObject", "PutObject"},
    "Retrieve": {"GetObject"},
    "Delete": {"DeleteObject", "GetObject", "PutObject"},
    "Migrate": {"AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject"},
    "Finalise": {"AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject"},
    "Cleanup": {"DeleteObject", "GetObject", "PutObject"},
}
BYTES = {
    "Store": set(),
    "Retrieve": {"GetObject"},
    "Delete": set(),
    "Migrate": {"AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject"},
    "Finalise": {"AbortMultipartUpload", "DeleteObject", "GetObject", "PutObject"},
    "Cleanup": {"DeleteObject", "GetObject"},
}


class Loader(yaml.SafeLoader):
    """Loads YAML, and turns CloudFormation's short forms into the long ones."""


def short_form(loader, suffix, node):
    name = suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: value.split(".") if suffix == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    return {name: loader.construct_mapping(node, deep=True)}


Loader.add_multi_constructor("!", short_form)


def of_type(template, kind):
    found = template["Resources"].items()
    return {name: resource["Properties"] for name, resource in found if resource["Type"] == kind}


def as_list(value):
    return value if isinstance(value, list) else [value]


def statements(template):
    """Yields each statement of each role's own policies, with the role's name."""
    for role, properties in of_type(template, "AWS::IAM::Role").items():
        for policy in properties["Policies"]:
            for statement in policy["PolicyDocument"]["Statement"]:
                yield role, statement["Fn::If"][1] if "Fn::If" in statement else statement


def rights_are_narrow(template):
    for role, statement in statements(template):
        where = f"{role}, {statement.get('Sid')}"
        if statement["Effect"] != "Allow" or "NotAction" in statement or "NotResource" in statement:
            yield f"{where}: does not name what it allows"
        yield from (f"{where}: the action {action}" for action in as_list(statement["Action"]) if "*" in action)
        for resource in as_list(statement["Resource"]):
            text = resource if isinstance(resource, str) else resource.get("Fn::Sub", "")
            if "*" in text and text not in ALL_OF:
                yield f"{where}: the resource {text}"


def functions_share_nothing(template):
    functions = of_type(template, "AWS::Serverless::Function")
    if set(functions) != {f"{name}Function" for name in FUNCTIONS}:
        yield f"the functions are {sorted(functions)}"
    logs = of_type(template, "AWS::Logs::LogGroup")
    for name in FUNCTIONS:
        function = functions.get(f"{name}Function", {})
        if function.get("Role") != {"Fn::GetAtt": [f"{name}Role", "Arn"]}:
            yield f"{name} does not have its own role"
        if function.get("LoggingConfig", {}).get("LogGroup") != {"Ref": f"{name}Log"}:
            yield f"{name} does not have its own log group"
        if f"{name}Log" not in logs:
            yield f"the log group of {name} is missing"
        writes = [s["Resource"] for role, s in statements(template) if role == f"{name}Role" and s["Sid"] == "Log"]
        if writes != [{"Fn::GetAtt": [f"{name}Log", "Arn"]}]:
            yield f"{name} may write to a log other than its own"
        binary = ROOT / f"lambdas/src/bin/{name.lower()}.rs"
        if function.get("CodeUri") != f"target/lambda/{binary.stem}/" or not binary.exists():
            yield f"{name} is not built from lambdas/src/bin"
    for name, log in logs.items():
        if "RetentionInDays" not in log:
            yield f"{name} keeps logs for ever"


def queues_lose_nothing(template):
    queues = of_type(template, "AWS::SQS::Queue")
    dead = {queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
            for queue in queues.values() if "RedrivePolicy" in queue}
    dead |= {timer["Target"]["DeadLetterConfig"]["Arn"]["Fn::GetAtt"][0]
             for timer in of_type(template, "AWS::Scheduler::Schedule").values()
             if "DeadLetterConfig" in timer["Target"]}
    watched = [alarm["Dimensions"][0]["Value"] for alarm in of_type(template, "AWS::CloudWatch::Alarm").values()
               if alarm["MetricName"] == "ApproximateNumberOfMessagesVisible"]
    for name, queue in queues.items():
        if queue.get("SqsManagedSseEnabled") is not True:
            yield f"{name} is not encrypted"
        if "RedrivePolicy" not in queue and name not in dead:
            yield f"{name} has no dead-letter queue, and is not one itself"
        if name in dead and queue.get("MessageRetentionPeriod") != 1_209_600:
            yield f"{name} keeps messages for less than 14 days"
        if name in dead and "RedriveAllowPolicy" not in queue:
            yield f"{name} accepts dead letters from any queue"
        if name in dead and {"Fn::GetAtt": [name, "QueueName"]} not in watched:
            yield f"no alarm watches {name}"
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        for event in function.get("Events", {}).values():
            source = event["Properties"]
            visibility = queues[source["Queue"]["Fn::GetAtt"][0]]["VisibilityTimeout"]
            if visibility < 6 * function["Timeout"] + source["MaximumBatchingWindowInSeconds"]:
                yield f"{name}: a message is visible again after {visibility} s, while it is still being handled"
            if source.get("FunctionResponseTypes") != ["ReportBatchItemFailures"]:
                yield f"{name}: one bad message fails its whole batch"
            if "ScalingConfig" not in source:
                yield f"{name}: a backlog can take all concurrency"


def what_is_kept_is_protected(template):
    for kind in ("AWS::S3::Bucket", "AWS::DynamoDB::Table"):
        for name, resource in template["Resources"].items():
            if resource["Type"] == kind and (
                resource.get("DeletionPolicy"), resource.get("UpdateReplacePolicy")) != ("Retain", "Retain"):
                yield f"{name} is deleted with the stack"
    bucket = template["Resources"]["Bucket"]["Properties"]
    if set(bucket["PublicAccessBlockConfiguration"].values()) != {True} or len(
            bucket["PublicAccessBlockConfiguration"]) != 4:
        yield "the bucket can be made public"
    if bucket["VersioningConfiguration"] != {"Status": "Enabled"}:
        yield "the bucket keeps no earlier versions"
    if "BucketEncryption" not in bucket:
        yield "the bucket is not encrypted"
    if bucket["OwnershipControls"]["Rules"] != [{"ObjectOwnership": "BucketOwnerEnforced"}]:
        yield "the bucket may contain objects that others own"
    if not any("AbortIncompleteMultipartUpload" in rule for rule in bucket["LifecycleConfiguration"]["Rules"]):
        yield "incomplete uploads stay for ever"
    denied = [statement for policy in of_type(template, "AWS::S3::BucketPolicy").values()
              for statement in policy["PolicyDocument"]["Statement"]
              if statement["Effect"] == "Deny" and statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}]
    if not denied:
        yield "the bucket can be read without TLS"
    table = template["Resources"]["Table"]["Properties"]
    if table.get("DeletionProtectionEnabled") is not True:
        yield "the table can be deleted"
    if table.get("PointInTimeRecoverySpecification") != {"PointInTimeRecoveryEnabled": True}:
        yield "the table cannot be restored"


def routes_are_guarded(template):
    routes = of_type(template, "AWS::ApiGatewayV2::Route")
    keys = [route["RouteKey"] for route in routes.values()]
    if len(keys) != len(set(keys)):
        yield "a route is defined twice"
    yield from (f"{key} is missing" for key in GUARDED if key not in keys)
    for name, route in routes.items():
        key = route["RouteKey"]
        method = key.split(" ")[0]
        guarded = route.get("AuthorizationType") == {"Fn::If": ["GatewayChecks", "JWT", "NONE"]}
        if guarded != (key in GUARDED):
            yield f"{name}: {key} is {'guarded' if guarded else 'open'}"
        elif guarded:
            scopes = set(route["AuthorizationScopes"]["Fn::If"][1])
            if scopes != {GUARDED[key], "operator"} | INCLUDING.get(GUARDED[key], {"admin"}):
                yield f"{name}: {key} accepts {sorted(scopes)}"
        target = {"POST": "Store", "PUT": "Store", "DELETE": "Delete", "PATCH": "Finalise"}.get(method, "Retrieve")
        target = "Delete" if key.endswith("/batch-delete") else target
        # Store imports what is not imported yet before it signs a link.
        target = "Store" if key.endswith("/url") else target
        # Finalise alone renders pictures.
        target = "Finalise" if key.endswith("/renditions") else target
        if route["Target"] != {"Fn::Sub": f"integrations/${{{target}Integration}}"}:
            yield f"{name}: {key} does not go to {target}"


def logs_hold_no_secrets(template):
    for name, stage in of_type(template, "AWS::ApiGatewayV2::Stage").items():
        written = stage["AccessLogSettings"]["Format"]
        for secret in ("identity", "queryString", "header", "authorizer.claims", "rawPath"):
            if f"$context.{secret}" in written:
                yield f"{name} logs $context.{secret}"


def secrets_are_references(template):
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    for name in ("R2_ACCESS_KEY_ID", "R2_SECRET_ACCESS_KEY", "CREDLINK_LINK_KEYS", "CREDLINK_TOKENS",
                 "CREDLINK_SIGNERS"):
        value = variables.get(name, {})
        if "{{resolve:secretsmanager:" not in str(value):
            yield f"{name} is not a reference to a secret"
    if template["Parameters"]["RedisUrl"].get("NoEcho") is not True:
        yield "RedisUrl, which may contain a password, is shown"


def the_edge_is_told_by_who_changes(template):
    for name in FUNCTIONS:
        function = of_type(template, "AWS::Serverless::Function")[f"{name}Function"]
        variables = function.get("Environment", {}).get("Variables", {})
        url, token = variables.get("CREDLINK_EDGE_URL"), str(variables.get("CREDLINK_EDGE_TOKEN"))
        if name == "Retrieve":
            if told := {"CREDLINK_EDGE_URL", "CREDLINK_EDGE_TOKEN"} & set(variables):
                yield f"{name} changes nothing, and has {sorted(told)}"
        elif url != {"Ref": "EdgeUrl"} or "{{resolve:secretsmanager:${EdgeTokenSecret}:" not in token:
            yield f"{name} does not notify the edge, or its token is not a reference to a secret"


def who_serves_beside_the_legacy_source(template):
    wanted = {"CREDLINK_LEGACY_SOURCE": "LegacySource", "CREDLINK_LEGACY_JOB": "LegacyJob",
              "CREDLINK_CLOUD_STORAGE": "CloudStorage"}
    listed = [name for name in FUNCTIONS if "CREDLINK_MIGRATION_SOURCES" in
              of_type(template, "AWS::Serverless::Function")[f"{name}Function"].get("Environment", {}).get("Variables", {})]
    if listed != ["Store"]:
        yield f"{listed} have the list of sources, but only Store starts migrations"
    functions = of_type(template, "AWS::Serverless::Function")
    for name in FUNCTIONS:
        variables = functions[f"{name}Function"].get("Environment", {}).get("Variables", {})
        given = {key: value for key, value in variables.items() if key in wanted}
        serves = name in ("Store", "Retrieve", "Delete")
        if given != ({key: {"Ref": value} for key, value in wanted.items()} if serves else {}):
            yield f"{name} has the variables {sorted(given)} of the legacy source"
        rights = {right for role, statement in statements(template) if role == f"{name}Role"
                  and "${LegacyBucket}" in str(statement["Resource"]) for right in as_list(statement["Action"])}
        may = {"s3:GetObject", "s3:ListBucket"} if serves or name == "Migrate" else set()
        may |= {"s3:PutObject"} if name == "Store" else set()
        if rights != may:
            yield f"{name} has the permissions {sorted(rights)} for the legacy bucket"


def who_changes_keeps_the_mark(template):
    mark = {"Fn::Sub": "${Bucket.Arn}/store/identity"}
    for name in FUNCTIONS:
        rights = {right for role, statement in statements(template) if role == f"{name}Role"
                  and statement["Resource"] == mark for right in as_list(statement["Action"])}
        wanted = {"s3:GetObject"} if name == "Retrieve" else {"s3:GetObject", "s3:PutObject"}
        if rights != wanted:
            yield f"{name} has the permissions {sorted(rights)} for the store's mark"


def who_writes_may_write_every_object(template):
    # Every prefix of a key must be writable: otherwise a change stops halfway.
    keys = (ROOT / "shared/core/src/object/key.rs").read_text(encoding="utf-8")
    prefixes = re.findall(r"pub const [A-Z]+: &'static str = \"([a-z]+/)\";", keys)
    wanted = {"${Bucket.Arn}/" + prefix + "*" for prefix in prefixes}
    if len(wanted) < 5:
        yield f"the keys of objects have only the prefixes {sorted(prefixes)}"
    for name in set(FUNCTIONS) - {"Retrieve"}:
        given = {text for role, statement in statements(template) if role == f"{name}Role"
                 and "s3:PutObject" in as_list(statement["Action"])
                 for text in (resource.get("Fn::Sub") for resource in as_list(statement["Resource"])
                              if isinstance(resource, dict))}
        if missing := wanted - given:
            yield f"{name} may not write {sorted(missing)}"


def the_quarantine_is_apart(template):
    place = {"Fn::Sub": "${Bucket.Arn}/uploads/*"}
    for name in FUNCTIONS:
        rights = set()
        for role, statement in statements(template):
            if role == f"{name}Role" and "/uploads/" in str(statement["Resource"]):
                rights |= {right.removeprefix("s3:") for right in as_list(statement["Action"])}
                if statement["Resource"] != place:
                    yield f"{name} has rights for the quarantine in one statement with others"
        if rights != QUARANTINE[name]:
            yield f"{name} has the permissions {sorted(rights)} for the quarantine"


def files_have_narrow_rights(template):
    for prefix, table in (("files/", RECORDS), ("media/", BYTES)):
        place = "${Bucket.Arn}/" + prefix + "*"
        for name in FUNCTIONS:
            rights = {right.removeprefix("s3:") for role, statement in statements(template) if role == f"{name}Role"
                      and {"Fn::Sub": place} in as_list(statement["Resource"]) for right in as_list(statement["Action"])}
            if rights != table[name]:
                yield f"{name} has the permissions {sorted(rights)} for {prefix}"


def uploads_are_scanned(template):
    resources = template["Resources"]
    conditioned = {name for name, resource in resources.items() if resource.get("Condition") == "HasGuardDuty"}
    if conditioned != {"MalwarePlan", "MalwareRole"}:
        yield f"{sorted(conditioned)} are made for GuardDuty"
    plan = resources["MalwarePlan"]["Properties"]
    if plan["ProtectedResource"] != {"S3Bucket": {"BucketName": {"Ref": "Bucket"}, "ObjectPrefixes": ["uploads/"]}}:
        yield "GuardDuty does not scan uploads/ of the bucket"
    if plan.get("Actions") != {"Tagging": {"Status": "ENABLED"}}:
        yield "GuardDuty does not tag what it has scanned"
    told = resources["Bucket"]["Properties"].get("NotificationConfiguration", {}).get("EventBridgeConfiguration")
    if told != {"Fn::If": ["HasGuardDuty", {"EventBridgeEnabled": True}, {"Ref": "AWS::NoValue"}]}:
        yield "GuardDuty is not told of new objects"
    set_to = template["Globals"]["Function"]["Environment"]["Variables"].get("CREDLINK_GUARDDUTY")
    if set_to != {"Fn::If": ["HasGuardDuty", "on", "off"]}:
        yield "the functions do not wait for GuardDuty"
    # GuardDuty reads and tags what clients upload, and nothing else.
    for role, statement in statements(template):
        if role != "MalwareRole":
            continue
        places = {place.get("Fn::Sub", "") for place in as_list(statement["Resource"]) if isinstance(place, dict)}
        objects = {place for place in places if place.startswith("${Bucket.Arn}/")}
        own = "${Bucket.Arn}/malware-protection-resource-validation-object"
        if objects - {"${Bucket.Arn}/uploads/*", own}:
            yield f"GuardDuty has rights for {sorted(objects)}"


def uploads_are_announced(template):
    bucket = template["Resources"]["Bucket"]
    told = bucket["Properties"].get("NotificationConfiguration", {}).get("QueueConfigurations", [])
    told = [one["Fn::If"] if "Fn::If" in one else [None, one] for one in told]
    events = {(condition, one["Event"]) for condition, one, *_ in told
              if one["Queue"] == {"Fn::GetAtt": ["UploadsQueue", "Arn"]}
              and one["Filter"] == {"S3Key": {"Rules": [{"Name": "prefix", "Value": "uploads/"}]}}}
    # Both ways in which an upload becomes whole, and the verdict of a scanner.
    wanted = {(None, "s3:ObjectCreated:Put"), (None, "s3:ObjectCreated:CompleteMultipartUpload"),
              ("HasGuardDuty", "s3:ObjectTagging:Put")}
    if events != wanted or len(told) != len(wanted):
        yield f"the bucket sends the events {sorted(events, key=str)} of uploads"
    if bucket.get("DependsOn") != "UploadsQueuePolicy":
        yield "the bucket may be made before it may send events"
    allowed = [(statement["Principal"], statement["Action"], statement.get("Condition"))
               for policy in of_type(template, "AWS::SQS::QueuePolicy").values()
               for statement in policy["PolicyDocument"]["Statement"] if statement["Effect"] == "Allow"]
    if allowed != [({"Service": "s3.amazonaws.com"}, "sqs:SendMessage",
                    {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}})]:
        yield f"the queues accept messages by {allowed}"
    for name in FUNCTIONS:
        rights = {right for role, statement in statements(template) if role == f"{name}Role"
                  and statement["Resource"] == {"Fn::GetAtt": ["UploadsQueue", "Arn"]}
                  for right in as_list(statement["Action"])}
        wanted = {"Store": {"sqs:SendMessage"}, "Cleanup": {"sqs:SendMessage"},
                  "Finalise": {"sqs:ChangeMessageVisibility", "sqs:DeleteMessage", "sqs:GetQueueAttributes",
                               "sqs:ReceiveMessage"}}.get(name, set())
        if rights != wanted:
            yield f"{name} has the permissions {sorted(rights)} for the queue of uploads"
    variables = template["Globals"]["Function"]["Environment"]["Variables"]
    if variables.get("CREDLINK_FILES_QUEUE_URL") != {"Ref": "UploadsQueue"}:
        yield "the functions keep no files"


def one_function_has_codecs(template):
    events = {name for name, function in of_type(template, "AWS::Serverless::Function").items()
              for event in function.get("Events", {}).values()
              if event["Properties"]["Queue"] == {"Fn::GetAtt": ["UploadsQueue", "Arn"]}}
    if events != {"FinaliseFunction"}:
        yield f"{sorted(events)} make files of uploads"
    manifest = tomllib.loads((ROOT / "lambdas/Cargo.toml").read_text(encoding="utf-8"))
    needing = {binary["name"]: binary.get("required-features") for binary in manifest.get("bin", [])}
    if needing != {"finalise": ["finalise"]} or manifest["dependencies"]["credlink-renderer"].get("optional") is not True:
        yield f"the binaries {needing} are built with codecs"


def one_function_signs(template):
    signs = [(role, statement["Action"], statement["Resource"]) for role, statement in statements(template)
             if "kms:Sign" in as_list(statement["Action"])]
    if signs != [("FinaliseRole", "kms:Sign", {"Ref": "SignKey"})]:
        yield f"these may sign: {signs}"
    given = {"CREDLINK_SIGN_CERTIFICATE": {"Ref": "SignCertificate"}, "CREDLINK_SIGN_KEY": {"Ref": "SignKey"}}
    for name, function in of_type(template, "AWS::Serverless::Function").items():
        variables = function.get("Environment", {}).get("Variables", {})
        told = {variable: value for variable, value in variables.items() if variable.startswith("CREDLINK_SIGN_")}
        if told != (given if name == "FinaliseFunction" else {}):
            yield f"{name} is told of {told}"


def browsers_may_send_what_is_signed(template):
    rules = template["Resources"]["Bucket"]["Properties"].get("CorsConfiguration", {}).get("CorsRules", [{}])
    if len(rules) != 1 or rules[0].get("AllowedOrigins") != {"Ref": "UploadOrigins"}:
        yield "the origins are not those of the parameter"
    if sorted(rules[0].get("AllowedMethods", [])) != ["GET", "HEAD", "PUT"]:
        yield f"the methods are {rules[0].get('AllowedMethods')}"
    if rules[0].get("ExposedHeaders") != ["ETag"]:
        yield "a page cannot see the tag of what it has sent"
    source = (ROOT / "shared/s3/src/quarantine/address.rs").read_text(encoding="utf-8")
    signed = re.findall(r'"([a-z0-9-]+)"', re.search(r"const SIGNED: [^=]*= \[(.*?)\];", source, re.DOTALL)[1])
    if len(signed) < 4:
        yield f"an address signs only {signed}"
    allowed = rules[0].get("AllowedHeaders", [])
    # A page may not set the length: the browser does, and asks nobody (Fetch standard, forbidden request headers).
    for header in set(signed) - {"content-length"}:
        if not any(fnmatch.fnmatchcase(header, pattern) for pattern in allowed):
            yield f"a browser may not send {header}, which addresses sign"


def the_quarantine_empties_itself(template):
    bounds = (ROOT / "shared/core/src/bounds.rs").read_text(encoding="utf-8")
    upload = int(re.search(r"const UPLOAD_SECONDS: u64 = ([\d_]+);", bounds)[1])
    kept = int(re.search(r"const UPLOAD_KEPT_SECONDS: u64 = ([\d_]+);", bounds)[1])
    rules = template["Resources"]["Bucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    aborts = [rule["AbortIncompleteMultipartUpload"]["DaysAfterInitiation"] for rule in rules
              if "AbortIncompleteMultipartUpload" in rule and rule["Status"] == "Enabled" and "Prefix" not in rule]
    # The sweeper looks first.
    if len(aborts) != 1 or aborts[0] * 86_400 <= upload:
        yield f"parts that were never joined are aborted after {aborts} days"
    ends = [rule for rule in rules if rule.get("Prefix") == "uploads/" and rule["Status"] == "Enabled"]
    if len(ends) != 1 or ends[0].get("NoncurrentVersionExpiration") != {"NoncurrentDays": 1}:
        yield "earlier versions of what was uploaded are kept for as long as those of proofs"
    # A day for the client, as long for a scanner, and then the time for which what could not be processed is kept.
    elif not 2 * upload + kept < ends[0].get("ExpirationInDays", 0) * 86_400 <= 2 * kept:
        yield f"the quarantine is emptied after {ends[0].get('ExpirationInDays')} days"
    others = [rule["Id"] for rule in rules if "ExpirationInDays" in rule and rule.get("Prefix") != "uploads/"]
    if others:
        yield f"{others} removes what should be kept"


class NoManagedPolicies:
    """SAM's source of AWS's managed policies. It is empty, because our template names none of them through SAM."""

    def load(self):
        return {}


def deployed(arguments):
    """Returns the parameters that SAM reads of the command that `lambdas/deploy` runs."""
    with tempfile.TemporaryDirectory() as folder:
        sam = pathlib.Path(folder) / "sam"
        sam.write_text('#!/bin/sh\nprintf "%s\\0" "$@" >"$0.told"\n', encoding="utf-8")
        sam.chmod(0o755)
        path = f"{folder}{os.pathsep}{os.environ['PATH']}"
        subprocess.run([ROOT / "lambdas/deploy", *arguments], check=True, stdout=subprocess.DEVNULL,
                       env={**os.environ, "PATH": path})
        told = sam.with_suffix(".told").read_text(encoding="utf-8").split("\0")[:-1]
    return CfnParameterOverridesType().convert(tuple(told[told.index("--parameter-overrides") + 1:]), None, None)


def transformed(template, given):
    """Returns what SAM makes of the template with these parameters, before CloudFormation inserts their values."""
    document = copy.deepcopy(template)
    for function in of_type(document, "AWS::Serverless::Function").values():
        function["CodeUri"] = "s3://bucket/code.zip"
        # SAM would need its value, and the alarms.
        function.pop("DeploymentPreference", None)
    defaults = {name: parameter["Default"] for name, parameter in document["Parameters"].items() if "Default" in parameter}
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    # It tries to publish metrics about itself.
    logging.getLogger("samtranslator.metrics").setLevel(logging.ERROR)
    return transform(document, {**defaults, **given}, NoManagedPolicies())["Resources"]


def reached(template):
    """Returns the parameters that a function's properties depend on, directly or through a condition."""
    found, left = set(), [str({"Globals": template["Globals"], "Functions": {
        name: {key: value for key, value in function.items() if key != "DeploymentPreference"}
        for name, function in of_type(template, "AWS::Serverless::Function").items()}})]
    while left:
        text = left.pop()
        names = set(re.findall(r"'Ref': '(\w+)'|\$\{(\w+)\}|'(?:Fn::If|Condition)': \[?'(\w+)'", text))
        for name in {name for groups in names for name in groups if name} - found:
            found.add(name)
            left.append(str(template["Conditions"].get(name, "")))
    return sorted(found & set(template["Parameters"]) - {"Revision"})


def changes_reach_the_traffic(template):
    # Deployments that change one parameter each, and one that changes none, as when only a secret has a new version.
    changes = [*reached(template), None]
    if len(changes) < 25:
        yield f"only the parameters {changes} reach a function"
    before = transformed(template, deployed([]))
    for name in changes:
        parameter = template["Parameters"].get(name, {})
        other = next((str(value) for value in parameter.get("AllowedValues", ()) if value != parameter["Default"]), "512")
        after = transformed(template, deployed([f"{name}={other}"] if name else []))
        for function in of_type(template, "AWS::Serverless::Function"):
            published = [key for resources in (before, after) for key, resource in resources.items()
                         if resource["Type"] == "AWS::Lambda::Version"
                         and resource["Properties"]["FunctionName"] == {"Ref": function}]
            if len(set(published)) != 2:
                yield f"{function}: a change of {name or 'a secret'} publishes no version"
            # Lambda publishes no version if nothing has changed, and CloudFormation reads secrets only if a property changes.
            variables = after[function]["Properties"]["Environment"]["Variables"]
            if {"Ref": "Revision"} not in variables.values():
                yield f"{function}: a change of {name or 'a secret'} changes no property"
        before = after


def values_arrive_as_they_are(_):
    for value in ("", "rate(10 minutes)", '{"version": 1, "collections": {}}', "it's", "it's \"x\"", "a,b", "a=b"):
        found = deployed([f"Collections={value}"]).get("Collections")
        if found != value:
            yield f"lambdas/deploy Collections={value} deploys {found!r}"


def deployments_are_told_apart(template):
    for document in sorted([ROOT / "README.md", *ROOT.glob("docs/*.md")]):
        for line in document.read_text(encoding="utf-8").splitlines():
            if re.match(r"\s*sam deploy", line):
                yield f"{document.name} deploys without a revision: {line.strip()}"
    if "Default" in template["Parameters"]["Revision"]:
        yield "a deployment without a revision is possible"


def listings_are_no_loop(template):
    # Migrate sends messages to its own queue, and ends by itself.
    if template["Resources"]["MigrateFunction"]["Properties"].get("RecursiveLoop") != "Allow":
        yield "Lambda ends a long listing of a migration"


def who_reads_counts_and_changes_nothing_else(template):
    table = (ROOT / "shared/dynamodb/src/table.rs").read_text(encoding="utf-8")
    named = dict(re.findall(r'const (\w+): &str = "(\w+)";', table))
    counts, entries = ["PARTITION_KEY", "SORT_KEY", "READS", "LAST_READ"], ["PARTITION_KEY", "SORT_KEY", "ENTRY", "TIME_TO_LIVE"]
    allowed = {"PROOF#*": sorted(named[name] for name in counts), "ACCESS#*": sorted(named[name] for name in entries)}
    for role, statement in statements(template):
        if role == "RetrieveRole" and "dynamodb:UpdateItem" in as_list(statement["Action"]):
            condition = statement.get("Condition", {})
            if statement["Action"] != "dynamodb:UpdateItem":
                yield "Retrieve has the permission to update in one statement with others"
            keys = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
            if len(keys) != 1 or keys[0] not in allowed:
                yield f"Retrieve may update rows other than those of proofs, and the log of accesses: {keys}"
                continue
            updated = condition.get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes", [])
            if sorted(updated) != allowed[keys[0]]:
                yield f"Retrieve may update {updated} of {keys[0]}, and should {allowed[keys[0]]}"


def who_reads_queries_migrations_alone(template):
    for role, statement in statements(template):
        if role == "RetrieveRole" and "dynamodb:Query" in as_list(statement["Action"]):
            is_table = statement["Resource"] == {"Fn::GetAtt": ["Table", "Arn"]}
            keys = statement.get("Condition", {}).get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys")
            if is_table and keys not in (["JOB#*"], ["ACCESS#*"]):
                yield f"Retrieve may query the rows {keys or 'of all keys'}"
            elif not is_table and statement["Resource"] != {"Fn::Sub": "${Table.Arn}/index/gsi1"}:
                yield f"Retrieve may query {statement['Resource']}"


def who_works_on_jobs_queries_their_entries(template):
    keys = {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["JOB#*"]}}
    table = {"Fn::GetAtt": ["Table", "Arn"]}
    for wanted in ("StoreRole", "RetrieveRole", "DeleteRole"):
        if not any(
            role == wanted and "dynamodb:Query" in as_list(statement["Action"])
            and statement["Resource"] == table and statement.get("Condition") == keys
            for role, statement in statements(template)
        ):
            yield f"{wanted} cannot list the entries of a migration, which its function starts, shows or removes"


def a_flood_of_reads_can_be_bounded(template):
    functions = of_type(template, "AWS::Serverless::Function")
    bounds = {"Store": ("BoundsWrites", "WriteConcurrency"), "Delete": ("BoundsWrites", "WriteConcurrency"),
              "Retrieve": ("BoundsReads", "ReadConcurrency")}
    for name, (condition, parameter) in bounds.items():
        wanted = {"Fn::If": [condition, {"Ref": parameter}, {"Ref": "AWS::NoValue"}]}
        if functions[f"{name}Function"].get("ReservedConcurrentExecutions") != wanted:
            yield f"nothing limits and reserves the concurrency of {name}"


def nobody_passes_by_the_front(template):
    api = template["Resources"]["Api"]["Properties"]
    if api.get("DisableExecuteApiEndpoint") != {"Fn::If": ["HidesGateway", True, False]}:
        yield "the gateway's own address cannot be disabled beside a custom domain"
    asserted = template["Rules"].get("HiddenNeedsDomain", {}).get("Assertions", [{}])[0].get("Assert")
    if asserted != {"Fn::Not": [{"Fn::Equals": [{"Ref": "PublicUrl"}, ""]}]}:
        yield "the gateway's own address can be disabled although there is no other"
    if template["Outputs"]["ApiUrl"]["Value"] == {"Fn::GetAtt": ["Api", "ApiEndpoint"]}:
        yield "the output ApiUrl may name an address that does not answer"


def the_front_limits_each_address(_):
    front = yaml.load((ROOT / "front.yaml").read_text(encoding="utf-8"), Loader)
    yield from gaps_of_a_front(front)


def gaps_of_a_front(front):
    behaviour = front["Resources"]["Front"]["Properties"]["DistributionConfig"]["DefaultCacheBehavior"]
    # The IDs of AWS's own policies: no caching, and everything that the viewer sends except the host.
    if behaviour["CachePolicyId"] != "4135ea2d-6df8-44a3-9df3-4b5a84be39ad":
        yield "front.yaml: CloudFront caches answers, including what was deleted since"
    if behaviour["OriginRequestPolicyId"] != "b689b0a8-53d0-40ab-baf2-68738e2966ac":
        yield "front.yaml: not all of a request reaches the API"
    # All statuses that CloudFront caches by default, and for which that can be changed.
    errors = front["Resources"]["Front"]["Properties"]["DistributionConfig"].get("CustomErrorResponses", [])
    forgotten = {error["ErrorCode"] for error in errors if error.get("ErrorCachingMinTTL") == 0}
    if forgotten != {400, 403, 404, 405, 414, 416, 500, 501, 502, 503, 504}:
        yield "front.yaml: CloudFront returns an error of one client to another"
    if "DELETE" not in behaviour["AllowedMethods"] or behaviour["ViewerProtocolPolicy"] != "https-only":
        yield "front.yaml: a method is missing, or a token may be sent without TLS"
    if front["Resources"]["Front"]["Properties"]["DistributionConfig"].get("WebACLId") != {"Fn::GetAtt": ["Limits", "Arn"]}:
        yield "front.yaml: nothing is limited"
    rules = front["Resources"]["Limits"]["Properties"]["Rules"]
    limits = [rule for rule in rules if rule["Statement"].get("RateBasedStatement", {}).get("AggregateKeyType") == "IP"]
    if not any("Block" in rule["Action"] for rule in limits):
        yield "front.yaml: no address is limited"


def the_edge_logs_no_query(_):
    # The invocation log of Workers contains the URL with its query, and so the signatures of links.
    settings = tomllib.loads((ROOT / "wrangler.toml").read_text(encoding="utf-8"))
    yield from links_in_logs(settings)


def links_in_logs(settings):
    for place, part in {"": settings, **settings.get("env", {})}.items():
        seen = part.get("observability", {})
        logs = seen.get("logs", {})
        if (seen.get("enabled") or logs.get("enabled")) and logs.get("invocation_logs") is not False:
            yield f"wrangler.toml {place}: the invocation logs contain the signatures of links"


def parameters_are_explained(template):
    setup = (ROOT / "docs/setup.md").read_text(encoding="utf-8")
    for name, parameter in template["Parameters"].items():
        if "Description" not in parameter:
            yield f"the parameter {name} has no description"
        if f"`{name}`" not in setup:
            yield f"the parameter {name} is not in docs/setup.md"
        allowed = {"AllowedPattern", "AllowedValues", "MinValue"} & set(parameter)
        if not allowed and parameter["Type"] != "CommaDelimitedList":
            yield f"the parameter {name} accepts anything"


def alarms_have_runbooks(template):
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    for name, alarm in of_type(template, "AWS::CloudWatch::Alarm").items():
        if f"`{name}`" not in operations:
            yield f"the alarm {name} is not in docs/operations.md"
        if "AlarmActions" not in alarm or "TreatMissingData" not in alarm:
            yield f"the alarm {name} notifies nobody"


RULES = (rights_are_narrow, functions_share_nothing, queues_lose_nothing, what_is_kept_is_protected, routes_are_guarded,
         logs_hold_no_secrets, secrets_are_references, the_edge_is_told_by_who_changes, who_serves_beside_the_legacy_source,
         who_changes_keeps_the_mark, who_writes_may_write_every_object, the_quarantine_is_apart,
         files_have_narrow_rights, uploads_are_announced, uploads_are_scanned, one_function_has_codecs, one_function_signs,
         browsers_may_send_what_is_signed, the_quarantine_empties_itself, changes_reach_the_traffic,
         values_arrive_as_they_are, deployments_are_told_apart, listings_are_no_loop, who_reads_counts_and_changes_nothing_else,
         who_reads_queries_migrations_alone, who_works_on_jobs_queries_their_entries, a_flood_of_reads_can_be_bounded, nobody_passes_by_the_front,
         the_front_limits_each_address, the_edge_logs_no_query, parameters_are_explained, alarms_have_runbooks)

# (the rule that must notice; the place, in a resource or in a part of the template; the value to put there, or None to remove it)
BROKEN = (
    (rights_are_narrow, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 1, "Action"), "s3:*"),
    (rights_are_narrow, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 1, "Resource"), "*"),
    (rights_are_narrow, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 1, "Resource"),
     {"Fn::Sub": "${Bucket.Arn}/*"}),
    (functions_share_nothing, ("StoreFunction", "Role"), {"Fn::GetAtt": ["DeleteRole", "Arn"]}),
    (functions_share_nothing, ("StoreFunction", "LoggingConfig"), None),
    (functions_share_nothing, ("StoreFunction", "CodeUri"), "target/lambda/shop/"),
    (functions_share_nothing, ("MigrateLog", "RetentionInDays"), None),
    (queues_lose_nothing, ("WorkQueue", "VisibilityTimeout"), 724),
    (queues_lose_nothing, ("WorkQueue", "RedrivePolicy"), None),
    (queues_lose_nothing, ("WorkDeadLetterQueue", "SqsManagedSseEnabled"), False),
    (queues_lose_nothing, ("WorkDeadLetterQueue", "RedriveAllowPolicy"), None),
    (queues_lose_nothing, ("CleanupDeadLetterQueueNotEmpty", "MetricName"), "NumberOfMessagesSent"),
    (queues_lose_nothing, ("MigrateFunction", "Events", "Work", "Properties", "FunctionResponseTypes"), None),
    (queues_lose_nothing, ("MigrateFunction", "Events", "Work", "Properties", "ScalingConfig"), None),
    (what_is_kept_is_protected, ("Bucket", "DeletionPolicy"), "Delete"),
    (what_is_kept_is_protected, ("Table", "UpdateReplacePolicy"), None),
    (what_is_kept_is_protected, ("Bucket", "PublicAccessBlockConfiguration", "BlockPublicPolicy"), False),
    (what_is_kept_is_protected, ("Bucket", "VersioningConfiguration", "Status"), "Suspended"),
    (what_is_kept_is_protected, ("BucketPolicy", "PolicyDocument", "Statement", 0, "Effect"), "Allow"),
    (what_is_kept_is_protected, ("Table", "DeletionProtectionEnabled"), None),
    (what_is_kept_is_protected, ("Table", "PointInTimeRecoverySpecification"), None),
    (routes_are_guarded, ("DeleteProofRoute", "AuthorizationType"), None),
    (routes_are_guarded, ("StatsRoute", "AuthorizationScopes", "Fn::If", 1), ["admin", "operator"]),
    (routes_are_guarded, ("ReadProofRoute", "AuthorizationType"), {"Fn::If": ["GatewayChecks", "JWT", "NONE"]}),
    (routes_are_guarded, ("SignLinkRoute", "Target"), {"Fn::Sub": "integrations/${RetrieveIntegration}"}),
    (routes_are_guarded, ("BatchDeleteRoute", "Target"), {"Fn::Sub": "integrations/${StoreIntegration}"}),
    (logs_hold_no_secrets, ("ApiStage", "AccessLogSettings", "Format"), "$context.identity.sourceIp"),
    (secrets_are_references, ("Globals", "Function", "Environment", "Variables", "CREDLINK_SIGNERS"), "{}"),
    (secrets_are_references, ("Globals", "Function", "Environment", "Variables", "CREDLINK_TOKENS"), None),
    (secrets_are_references, ("Parameters", "RedisUrl", "NoEcho"), None),
    (the_edge_is_told_by_who_changes, ("DeleteFunction", "Environment", "Variables", "CREDLINK_EDGE_TOKEN"), "hush"),
    (the_edge_is_told_by_who_changes, ("CleanupFunction", "Environment"), None),
    (the_edge_is_told_by_who_changes, ("RetrieveFunction", "Environment", "Variables", "CREDLINK_EDGE_URL"), "x"),
    (who_serves_beside_the_legacy_source, ("RetrieveFunction", "Environment"), None),
    (who_serves_beside_the_legacy_source,
     ("StoreFunction", "Environment", "Variables", "CREDLINK_MIGRATION_SOURCES"), None),
    (who_serves_beside_the_legacy_source, ("DeleteFunction", "Environment", "Variables", "CREDLINK_LEGACY_JOB"), None),
    (who_serves_beside_the_legacy_source,
     ("MigrateFunction", "Environment", "Variables", "CREDLINK_LEGACY_SOURCE"), {"Ref": "LegacySource"}),
    (who_serves_beside_the_legacy_source,
     ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 8, "Fn::If", 1, "Action"), "s3:PutObject"),
    (who_changes_keeps_the_mark, ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 2, "Action"),
     ["s3:GetObject", "s3:PutObject"]),
    (who_changes_keeps_the_mark, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 2), None),
    (who_writes_may_write_every_object,
     ("DeleteRole", "Policies", 0, "PolicyDocument", "Statement", 1, "Resource", 3), None),
    (rights_are_narrow, ("CleanupRole", "Policies", 0, "PolicyDocument", "Statement", 9, "Resource"),
     {"Fn::Sub": "${Bucket.Arn}/uploads*"}),
    (the_quarantine_is_apart, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 10), None),
    (the_quarantine_is_apart, ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 1, "Resource"),
     [{"Fn::Sub": "${Bucket.Arn}/proofs/*"}, {"Fn::Sub": "${Bucket.Arn}/uploads/*"}]),
    (the_quarantine_is_apart, ("DeleteRole", "Policies", 0, "PolicyDocument", "Statement", 10, "Action"),
     ["s3:AbortMultipartUpload", "s3:DeleteObject", "s3:PutObject"]),
    (files_have_narrow_rights, ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 13, "Action"),
     ["s3:GetObject", "s3:PutObject"]),
    (files_have_narrow_rights, ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 11, "Resource"),
     [{"Fn::Sub": "${Bucket.Arn}/files/*"}, {"Fn::Sub": "${Bucket.Arn}/media/*"}]),
    (files_have_narrow_rights, ("MigrateRole", "Policies", 0, "PolicyDocument", "Statement", 9), None),
    (uploads_are_announced, ("Bucket", "NotificationConfiguration", "QueueConfigurations", 1), None),
    (uploads_are_announced, ("Bucket", "NotificationConfiguration", "QueueConfigurations", 2), None),
    (uploads_are_scanned, ("Bucket", "NotificationConfiguration", "EventBridgeConfiguration"), None),
    (uploads_are_scanned, ("MalwarePlan", "Actions"), None),
    (uploads_are_scanned, ("MalwarePlan", "ProtectedResource", "S3Bucket", "ObjectPrefixes"), ["media/"]),
    (uploads_are_scanned, ("MalwareRole", "Policies", 0, "PolicyDocument", "Statement", 6, "Resource"),
     {"Fn::Sub": "${Bucket.Arn}/*"}),
    (uploads_are_announced, ("Bucket", "NotificationConfiguration", "QueueConfigurations", 0, "Filter"), {}),
    (uploads_are_announced, ("Bucket", "NotificationConfiguration", "QueueConfigurations", 0, "Queue"),
     {"Fn::GetAtt": ["WorkQueue", "Arn"]}),
    (uploads_are_announced, ("UploadsQueuePolicy", "PolicyDocument", "Statement", 0, "Condition"), None),
    (uploads_are_announced, ("UploadsQueuePolicy", "PolicyDocument", "Statement", 0, "Principal"), "*"),
    (uploads_are_announced, ("CleanupRole", "Policies", 0, "PolicyDocument", "Statement", 12), None),
    (uploads_are_announced, ("Globals", "Function", "Environment", "Variables", "CREDLINK_FILES_QUEUE_URL"), None),
    (one_function_has_codecs, ("FinaliseFunction", "Events"), None),
    (one_function_signs, ("FinaliseFunction", "Environment", "Variables", "CREDLINK_SIGN_KEY"), None),
    (one_function_signs, ("CleanupFunction", "Environment", "Variables", "CREDLINK_SIGN_KEY"), {"Ref": "SignKey"}),
    (one_function_signs, ("FinaliseRole", "Policies", 0, "PolicyDocument", "Statement", 8), None),
    (queues_lose_nothing, ("UploadsQueue", "VisibilityTimeout"), 719),
    (queues_lose_nothing, ("UploadsDeadLetterQueueNotEmpty", "MetricName"), "NumberOfMessagesSent"),
    (routes_are_guarded, ("ChangeFileRoute", "Target"), {"Fn::Sub": "integrations/${RetrieveIntegration}"}),
    (routes_are_guarded, ("RenderFileRoute", "AuthorizationScopes", "Fn::If", 1), ["media:write", "admin", "operator"]),
    (browsers_may_send_what_is_signed, ("Bucket", "CorsConfiguration"), None),
    (browsers_may_send_what_is_signed, ("Bucket", "CorsConfiguration", "CorsRules", 0, "AllowedOrigins"), ["*"]),
    (browsers_may_send_what_is_signed, ("Bucket", "CorsConfiguration", "CorsRules", 0, "AllowedMethods"), ["PUT"]),
    (browsers_may_send_what_is_signed, ("Bucket", "CorsConfiguration", "CorsRules", 0, "ExposedHeaders"), None),
    (browsers_may_send_what_is_signed, ("Bucket", "CorsConfiguration", "CorsRules", 0, "AllowedHeaders"),
     ["content-type", "x-amz-*"]),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 0, "Status"), "Disabled"),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 1), None),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 1, "Prefix"), "proofs/"),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 1, "ExpirationInDays"), 9),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 1, "NoncurrentVersionExpiration"), None),
    (the_quarantine_empties_itself, ("Bucket", "LifecycleConfiguration", "Rules", 2, "ExpirationInDays"), 3),
    (changes_reach_the_traffic, ("RetrieveFunction", "AutoPublishCodeSha256"), None),
    (changes_reach_the_traffic, ("RetrieveFunction", "AutoPublishCodeSha256"), {"Ref": "LogLevel"}),
    (listings_are_no_loop, ("MigrateFunction", "RecursiveLoop"), "Terminate"),
    (who_reads_counts_and_changes_nothing_else,
     ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 5, "Condition"), None),
    (who_reads_counts_and_changes_nothing_else,
     ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 5, "Condition", "ForAllValues:StringEquals"), None),
    (who_reads_queries_migrations_alone,
     ("RetrieveRole", "Policies", 0, "PolicyDocument", "Statement", 7, "Condition"), None),
    (who_works_on_jobs_queries_their_entries,
     ("StoreRole", "Policies", 0, "PolicyDocument", "Statement", 5, "Action"), "dynamodb:GetItem"),
    (a_flood_of_reads_can_be_bounded, ("DeleteFunction", "ReservedConcurrentExecutions"), None),
    (a_flood_of_reads_can_be_bounded, ("RetrieveFunction", "ReservedConcurrentExecutions"), {"Ref": "WriteConcurrency"}),
    (nobody_passes_by_the_front, ("Api", "DisableExecuteApiEndpoint"), None),
    (nobody_passes_by_the_front, ("Rules", "HiddenNeedsDomain"), None),
    (nobody_passes_by_the_front, ("Outputs", "ApiUrl", "Value"), {"Fn::GetAtt": ["Api", "ApiEndpoint"]}),
    (deployments_are_told_apart, ("Parameters", "Revision", "Default"), "0123456789"),
    (parameters_are_explained, ("Parameters", "SignersSecret", "Description"), None),
    (parameters_are_explained, ("Parameters", "SignersSecret", "AllowedPattern"), None),
    (alarms_have_runbooks, ("WorkOld", "AlarmActions"), None),
)


def broken(template, path, value):
    template = copy.deepcopy(template)
    name, *path, last = path
    place = template["Resources"].get(name) or template[name]
    if (path or [last])[0] not in place:
        place = place["Properties"]
    for step in path:
        place = place[step]
    if value is None:
        del place[last]
    else:
        place[last] = value
    return template


def main():
    template = yaml.load((ROOT / "template.yaml").read_text(encoding="utf-8"), Loader)
    wrong = [f"template.yaml: {rule.__name__}: {what}" for rule in RULES for what in rule(template)]
    for rule, path, value in BROKEN:
        if not list(rule(broken(template, path, value))):
            wrong.append(f"tests/template.py: {rule.__name__} does not notice {value!r} at {path}")
    # The rule about wrangler.toml, with settings that break it.
    for text in ("[observability]\nenabled = true", "[observability.logs]\nenabled = true\ninvocation_logs = true",
                 "[env.staging.observability]\nenabled = true"):
        if not list(links_in_logs(tomllib.loads(text))):
            wrong.append(f"tests/template.py: the_edge_logs_no_query does not notice {text!r}")
    front = yaml.load((ROOT / "front.yaml").read_text(encoding="utf-8"), Loader)
    settings = ("Resources", "Front", "Properties", "DistributionConfig")
    for path, value in (
            ((*settings, "DefaultCacheBehavior", "CachePolicyId"), "658327ea-f89d-4fab-a63d-7e88639e58f6"),
            ((*settings, "DefaultCacheBehavior", "ViewerProtocolPolicy"), "allow-all"),
            ((*settings, "DefaultCacheBehavior", "OriginRequestPolicyId"), "88a5eaf4-2fd4-4709-b370-b4c650ea3fcf"),
            ((*settings, "DefaultCacheBehavior", "AllowedMethods"), ["GET", "HEAD"]),
            ((*settings, "CustomErrorResponses"), []),
            (("Resources", "Limits", "Properties", "Rules", 0, "Action"), {"Count": {}}),
            ((*settings, "WebACLId"), ""), (("Resources", "Limits", "Properties", "Rules"), [])):
        other = place = copy.deepcopy(front)
        for step in path[:-1]:
            place = place[step]
        place[path[-1]] = value
        if not list(gaps_of_a_front(other)):
            wrong.append(f"tests/template.py: the_front_limits_each_address does not notice {value!r} at {path}")
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"template.yaml keeps {len(RULES)} rules, and {len(BROKEN)} ways to break them are noticed")


if __name__ == "__main__":
    main()
