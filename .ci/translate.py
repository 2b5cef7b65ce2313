"""Prints the CloudFormation that SAM makes of a template. Needs no account: the code's place is made up."""

import json
import sys

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

FUNCTION = "AWS::Serverless::Function"


class NoManagedPolicies:
    """The template names none, so none is looked up."""

    def load(self):
        return {}


def main(path):
    with open(path, encoding="utf-8") as file:
        template = yaml_parse(file.read())
    for resource in template["Resources"].values():
        if resource["Type"] == FUNCTION:
            resource["Properties"]["CodeUri"] = {"Bucket": "code", "Key": "function.zip"}
    json.dump(transform(template, {}, NoManagedPolicies()), sys.stdout, default=str)


main(sys.argv[1])
