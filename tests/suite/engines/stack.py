"""Deploys template.yaml to a local AWS, as `sam deploy` does to AWS itself, and takes the stack away again.

stack.py up ENDPOINT STACK TEMPLATE PARAMETERS FUNCTION=BOOTSTRAP...   prints the stack's outputs as JSON
stack.py down ENDPOINT STACK

PARAMETERS is a JSON object. Credentials and region come from the environment. What the engine can't do, and what is
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


def client(service, endpoint):
    # One attempt: an engine on loopback that refuses something refuses it again.
    config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
    return boto3.client(service, endpoint_url=endpoint, config=config)


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
    s3.create_bucket(Bucket=code)
    with open(template, encoding="utf-8") as file:
        text = file.read()
    packed = {}
    for name, path in bootstraps.items():
        if path not in packed:
            packed[path] = package(path)
        s3.put_object(Bucket=code, Key=f"{name}.zip", Body=packed[path])
        text = replaced(text, rf"CodeUri: target/lambda/{name}/\n", f"CodeUri: s3://{code}/{name}.zip\n")
    # The engine transforms with the defaults, whatever the parameters say: the one that the transform reads is set here.
    canary = parameters.get("CanaryDeployment", "true")
    text = replaced(text, r"(  CanaryDeployment:\n    Type: String\n    Default: )'true'", rf"\g<1>'{canary}'")
    s3.put_object(Bucket=code, Key="template.yaml", Body=text.encode())
    cloudformation.create_stack(
        StackName=stack,
        TemplateURL=f"{endpoint}/{code}/template.yaml",
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
    )
    for output in settled(cloudformation, stack)["Outputs"]:
        yield output["OutputKey"], output["OutputValue"]


def replaced(text, pattern, replacement):
    text, count = re.subn(pattern, replacement, text)
    if count != 1:
        sys.exit(f"the template has {count} places that match {pattern!r}, and should have one")
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
    return found


def down(endpoint, stack):
    client("cloudformation", endpoint).delete_stack(StackName=stack)


if __name__ == "__main__":
    if sys.argv[1] == "up":
        _, _, endpoint, stack, template, parameters, *functions = sys.argv
        bootstraps = dict(function.split("=", 1) for function in functions)
        print(json.dumps(dict(up(endpoint, stack, template, json.loads(parameters), bootstraps))))
    else:
        down(*sys.argv[2:])
