"""Airflow: BatchOperator, BatchSensor and BatchClientHook of the Amazon provider, without a scheduler."""

from unittest.mock import MagicMock

from airflow.exceptions import AirflowException
from airflow.providers.amazon.aws.hooks.batch_client import BatchClientHook
from airflow.providers.amazon.aws.operators.batch import BatchOperator
from airflow.providers.amazon.aws.sensors.batch import BatchSensor

CONNECTION = {"aws_conn_id": None, "region_name": "us-east-1"}


def operator(name, script, **more):
    overrides = {"command": ["sh", "-c", script]}
    return BatchOperator(
        task_id=name,
        job_name=name,
        job_queue="q",
        job_definition="d",
        container_overrides=overrides,
        poll_interval=1,
        **CONNECTION,
        **more,
    )


def run():
    context = MagicMock()
    job_id = operator("succeeds", "echo from airflow").execute(context)
    hook = BatchClientHook(**CONNECTION)
    assert hook.check_job_success(job_id)
    assert hook.get_job_description(job_id)["container"]["exitCode"] == 0
    sensor = BatchSensor(task_id="senses", job_id=job_id, **CONNECTION)
    assert sensor.poke(context)
    array = operator("array", "test $AWS_BATCH_JOB_ARRAY_INDEX -lt 3", array_properties={"size": 3}).execute(context)
    assert hook.get_job_description(array)["arrayProperties"]["statusSummary"]["SUCCEEDED"] == 3
    try:
        operator("fails", "exit 3").execute(context)
    except AirflowException as error:
        assert "fail" in str(error).lower(), error
    else:
        raise AssertionError("a job that fails must fail the operator")
    stopped = operator("stopped", "sleep 600", wait_for_completion=False)
    job_id = stopped.execute(context)
    hook.terminate_job(job_id, "enough")
    try:
        hook.wait_for_job(job_id)
    except AirflowException:
        pass
    assert hook.get_job_description(job_id)["statusReason"] == "enough"
    print("airflow: operator, array, sensor, hook, failure and termination")


if __name__ == "__main__":
    run()
