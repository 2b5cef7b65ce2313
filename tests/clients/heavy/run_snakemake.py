"""Snakemake: three jobs of one rule at once and one that reads their files, by its executor for AWS Batch."""

import os
import pathlib
import subprocess
import sys

import boto3

SNAKEFILE = """
rule all:
    input: "sum.txt"

rule number:
    output: "number-{n}.txt"
    shell: "echo {wildcards.n} > {output}"

rule total:
    input: expand("number-{n}.txt", n=[1, 2, 3])
    output: "sum.txt"
    shell: "echo $(( $(cat {input} | paste -sd+ -) )) > {output}"
"""


def run():
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="snakemake")
    pathlib.Path("Snakefile").write_text(SNAKEFILE)
    command = [pathlib.Path(sys.executable).with_name("snakemake"), "--jobs", "4", "--container-image", "none"]
    command += ["--executor", "aws-batch", "--aws-batch-region", "us-east-1"]
    command += ["--aws-batch-job-queue", "q", "--aws-batch-job-role", "arn:aws:iam::000000000000:role/any"]
    command += ["--default-storage-provider", "s3", "--default-storage-prefix", "s3://snakemake/run"]
    command += ["--storage-s3-endpoint-url", os.environ["AWS_ENDPOINT_URL_S3"]]
    # Snakemake's S3 asks for credentials that reach its jobs by name.
    command += ["--envvars", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_DEFAULT_REGION"]
    subprocess.run(command, check=True)
    total = s3.get_object(Bucket="snakemake", Key="run/sum.txt")["Body"].read()
    assert total == b"6\n", total
    ended = boto3.client("batch").list_jobs(jobQueue="q", jobStatus="SUCCEEDED")["jobSummaryList"]
    assert len(ended) == 4, ended
    print("snakemake: three jobs of a rule at once, and one that adds up their files")


if __name__ == "__main__":
    run()
