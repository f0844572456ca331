"""Deploys template.yaml to a local AWS, as `sam deploy` does to AWS itself, and takes the stack away again.

stack.py up ENDPOINT STACK TEMPLATE PARAMETERS SECRETS FUNCTION=BOOTSTRAP...    prints the stack's outputs as JSON
stack.py rights ENDPOINT STACK    prints what each function's role may do, as the engine enforces it
stack.py down ENDPOINT STACK

PARAMETERS and SECRETS are JSON objects. Credentials and region come from the environment. What the engine can't do, and what is
therefore different here, is told in stack.rs.
"""

import io
import json
import re
import sys
import time
import zipfile

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(service, endpoint, session=None):
    # One attempt: an engine on loopback that refuses something refuses it again.
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    keys = session and {
        "aws_access_key_id": session["AccessKeyId"],
        "aws_secret_access_key": session["SecretAccessKey"],
        "aws_session_token": session["SessionToken"],
    }
    return boto3.client(service, endpoint_url=endpoint, config=config, **(keys or {}))


def package(path):
    """A deployment package: one executable file called `bootstrap`."""
    entry = zipfile.ZipInfo("bootstrap")
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o755 << 16
    data = io.BytesIO()
    with open(path, "rb") as file, zipfile.ZipFile(data, "w", compresslevel=1) as archive:
        archive.writestr(entry, file.read())
    return data.getvalue()


def up(endpoint, stack, template, parameters, bootstraps):
    s3, cloudformation = client("s3", endpoint), client("cloudformation", endpoint)
    code = f"{stack}-code"
    place = {"LocationConstraint": s3.meta.region_name}
    s3.create_bucket(Bucket=code, **({} if s3.meta.region_name == "us-east-1" else {"CreateBucketConfiguration": place}))
    with open(template, encoding="utf-8") as file:
        text = file.read()
    packed = {}
    for name, path in bootstraps.items():
        if path not in packed:
            packed[path] = package(path)
        s3.put_object(Bucket=code, Key=f"{name}.zip", Body=packed[path])
        text = replaced(text, rf"CodeUri: target/lambda/{name}/\n", f"CodeUri: s3://{code}/{name}.zip\n")
    # Each stack is deployed once; the engine transforms with the defaults of the parameters, and this one has none.
    text = replaced(text, r"(  Revision:\n    Type: String\n)", r"\1    Default: '0123456789'\n")
    # The engine has no CodeDeploy, and it transforms with the defaults of the parameters, whatever they are set to.
    text = replaced(text, r"(  CanaryDeployment:\n    Type: String\n    Default: )'true'", r"\1'false'")
    # Functions are processes of one machine here, and would share what each has for itself in Lambda.
    text = replaced(text, r"CREDLINK_CACHE_FOLDER: /tmp/credlink", "CREDLINK_CACHE_FOLDER: ''")
    # The engine speaks without TLS, and keeps to policies that refuse that: here they refuse the opposite.
    text = replaced(text, r"('aws:SecureTransport': )'false'", r"\1'true'", 3)
    s3.put_object(Bucket=code, Key="template.yaml", Body=text.encode())
    cloudformation.create_stack(
        StackName=stack,
        TemplateURL=f"{endpoint}/{code}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    outputs = settled(cloudformation, stack)
    # CloudFormation turns the text of a parameter into the number that it stands for; the engine fails to compare it.
    functions = client("lambda", endpoint)
    for function in (outputs["MigrateFunctionArn"], outputs["FinaliseFunctionArn"]):
        for mapping in functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]:
            functions.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": 5})
    return outputs


def replaced(text, pattern, replacement, places=1):
    text, count = re.subn(pattern, replacement, text)
    if count != places:
        sys.exit(f"the template has {count} places that match {pattern!r}, and should have {places}")
    return text


def settled(cloudformation, stack):
    """The stack when nothing about it is in progress any more."""
    while True:
        found = cloudformation.describe_stacks(StackName=stack)["Stacks"][0]
        if not found["StackStatus"].endswith("_IN_PROGRESS"):
            break
        time.sleep(0.2)
    if found["StackStatus"] != "CREATE_COMPLETE":
        events = cloudformation.describe_stack_events(StackName=stack)["StackEvents"]
        failed = [event for event in events if event["ResourceStatus"].endswith("_FAILED")]
        reasons = [f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason')}" for event in failed]
        sys.exit("\n".join([f"{stack} is {found['StackStatus']}", *reversed(reasons)]))
    return {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}


def rights(endpoint, stack):
    """One line a role: the calls that it may make. S3's answer to a read of what is not there is of interest too."""
    outputs = settled(client("cloudformation", endpoint), stack)
    bucket, table, queue = outputs["BucketName"], outputs["TableName"], outputs["QueueUrl"]
    uploads = outputs["UploadsQueueUrl"]
    key = {"pk": {"S": "PROOF#x"}, "sk": {"S": "ROW"}}
    update = {"TableName": table, "Key": key, "UpdateExpression": "SET a = :a", "ExpressionAttributeValues": {":a": {"S": "a"}}}

    def query(name):
        values = {":a": {"S": "a"}}
        return {"TableName": table, "IndexName": name, "KeyConditionExpression": f"{name}pk = :a",
                "ExpressionAttributeValues": values}

    calls = [
        ("put", "s3", "put_object", {"Bucket": bucket, "Key": "proofs/x", "Body": b"x"}),
        ("put-elsewhere", "s3", "put_object", {"Bucket": bucket, "Key": "other/x", "Body": b"x"}),
        ("get", "s3", "get_object", {"Bucket": bucket, "Key": "proofs/x"}),
        ("get-absent", "s3", "get_object", {"Bucket": bucket, "Key": "proofs/y"}),
        ("list", "s3", "list_objects_v2", {"Bucket": bucket}),
        ("list-uploads", "s3", "list_multipart_uploads", {"Bucket": bucket}),
        ("delete", "s3", "delete_object", {"Bucket": bucket, "Key": "proofs/z"}),
        ("row", "dynamodb", "get_item", {"TableName": table, "Key": key}),
        ("rows", "dynamodb", "batch_get_item", {"RequestItems": {table: {"Keys": [key]}}}),
        ("update", "dynamodb", "update_item", update),
        ("transaction", "dynamodb", "transact_write_items", {"TransactItems": [{"Update": update}]}),
        ("put-row", "dynamodb", "put_item", {"TableName": table, "Item": key}),
        ("delete-row", "dynamodb", "delete_item", {"TableName": table, "Key": key}),
        ("scan", "dynamodb", "scan", {"TableName": table}),
        ("query-tenant", "dynamodb", "query", query("gsi1")),
        ("query-due", "dynamodb", "query", query("gsi2")),
        ("query-table", "dynamodb", "query", {"TableName": table, "KeyConditionExpression": "pk = :a",
                                              "ExpressionAttributeValues": {":a": {"S": "a"}}}),
        ("send", "sqs", "send_message", {"QueueUrl": queue, "MessageBody": "x"}),
        ("receive", "sqs", "receive_message", {"QueueUrl": queue}),
        ("put-record", "s3", "put_object", {"Bucket": bucket, "Key": "files/x", "Body": b"x"}),
        ("put-media", "s3", "put_object", {"Bucket": bucket, "Key": "media/x", "Body": b"x"}),
        ("get-media", "s3", "get_object", {"Bucket": bucket, "Key": "media/x"}),
        ("delete-media", "s3", "delete_object", {"Bucket": bucket, "Key": "media/z"}),
        ("send-upload", "sqs", "send_message", {"QueueUrl": uploads, "MessageBody": "x"}),
        ("receive-upload", "sqs", "receive_message", {"QueueUrl": uploads}),
    ]
    # What `get` and `get-media` read.
    for key in ("proofs/x", "media/x"):
        client("s3", endpoint).put_object(Bucket=bucket, Key=key, Body=b"x")
    roles = client("iam", endpoint).get_paginator("list_roles").paginate().search("Roles[]")
    arns = {role["RoleName"].split("-")[-2]: role["Arn"] for role in roles if role["RoleName"].startswith(f"{stack}-")}
    for name in ("StoreRole", "RetrieveRole", "DeleteRole", "MigrateRole", "FinaliseRole", "CleanupRole"):
        session = client("sts", endpoint).assume_role(RoleArn=arns[name], RoleSessionName="rights")["Credentials"]
        may = [label + answer(endpoint, session, service, call, arguments) for label, service, call, arguments in calls]
        print(f"{name}: {' '.join(word for word in may if not word.endswith('!'))}")


def answer(endpoint, session, service, call, arguments):
    """Nothing if the call was done, `!` if it was refused, else the error."""
    try:
        getattr(client(service, endpoint, session), call)(**arguments)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return "!" if code in ("AccessDenied", "AccessDeniedException") else f"={code}"
    return ""


def down(endpoint, stack):
    client("cloudformation", endpoint).delete_stack(StackName=stack)


def main(command, *arguments):
    if command == "up":
        endpoint, stack, template, parameters, secrets, *functions = arguments
        for name, value in json.loads(secrets).items():
            client("secretsmanager", endpoint).create_secret(Name=name, SecretString=value)
        bootstraps = dict(function.split("=", 1) for function in functions)
        print(json.dumps(up(endpoint, stack, template, json.loads(parameters), bootstraps)))
    else:
        {"rights": rights, "down": down}[command](*arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
