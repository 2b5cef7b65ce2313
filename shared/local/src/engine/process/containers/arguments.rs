//! What a job definition says of its container, as arguments of `docker create` and `podman create`.
//!
//! Batch's own documentation names docker's options for most members. Source:
//! <https://docs.aws.amazon.com/batch/latest/APIReference/API_ContainerProperties.html>

use std::ffi::OsString;
use std::path::Path;

use super::runtime::{ContainerRuntime, Kind, STATE_LABEL};
use crate::engine::core::{Image, LaunchedContainer};
use crate::engine::process::environment::Variable;

/// CPU shares of a vCPU, as ECS gives them.
const SHARES_OF_A_VCPU: i64 = 1_024;

/// What a container is found by.
pub(in crate::engine::process) struct Names<'a> {
    /// Its own.
    pub(in crate::engine::process) name: &'a str,
    /// The state folder that it belongs to.
    pub(in crate::engine::process) state: &'a Path,
}

/// All arguments of the runtime that make a container, without starting it. `inherited` lies below the job's own
/// environment.
///
/// # Errors
///
/// Where the definition asks for what this machine has not, in the words of ECS.
pub(in crate::engine::process) fn create(
    runtime: &ContainerRuntime,
    names: &Names<'_>,
    container: &LaunchedContainer,
    image: &Image,
    inherited: &[Variable],
) -> Result<Vec<OsString>, String> {
    let kind = runtime.kind;
    let mut arguments = Arguments(vec!["create".into()]);
    arguments.option("--name", names.name);
    let mut label = OsString::from(format!("{STATE_LABEL}="));
    label.push(names.state);
    arguments.option("--label", label);
    match kind {
        Kind::Docker => arguments.option("--log-driver", "json-file"),
        Kind::Podman => {
            arguments.option("--log-driver", "k8s-file");
            // Otherwise it hands the caller's proxies on.
            arguments.flag("--http-proxy=false");
        }
    }
    // Batch's jobs on EC2 have the host's network. On Fargate each has its own.
    if !image.is_fargate {
        arguments.option("--network", "host");
    }
    limits(&mut arguments, kind, container, image);
    linux_parameters(&mut arguments, image);
    volumes(&mut arguments, image)?;
    if let Some(user) = &image.user {
        arguments.option("--user", user);
    }
    if image.privileged {
        arguments.flag("--privileged");
    }
    if image.readonly_root_filesystem {
        arguments.flag("--read-only");
        if kind == Kind::Podman {
            // Docker and ECS make no writable folders beside it.
            arguments.flag("--read-only-tmpfs=false");
        }
    }
    for ulimit in &image.ulimits {
        arguments.option("--ulimit", format!("{}={}:{}", ulimit.name, ulimit.soft_limit, ulimit.hard_limit));
    }
    let own = container.environment.iter().map(|(name, value)| (name.into(), value.into()));
    for (name, value) in inherited.iter().cloned().chain(own) {
        let mut pair: OsString = name;
        pair.push("=");
        pair.push(value);
        arguments.option("--env", pair);
    }
    // What follows the image is the command, whatever it begins with.
    arguments.flag(&image.image);
    container.command.iter().for_each(|argument| arguments.flag(argument));
    Ok(arguments.0)
}

struct Arguments(Vec<OsString>);

impl Arguments {
    fn flag(&mut self, flag: &str) {
        self.0.push(flag.into());
    }

    fn option(&mut self, name: &str, value: impl Into<OsString>) {
        self.0.extend([name.into(), value.into()]);
    }
}

fn limits(arguments: &mut Arguments, kind: Kind, container: &LaunchedContainer, image: &Image) {
    let milli_vcpus = container.vcpus.0;
    if image.is_fargate {
        arguments.option("--cpus", container.vcpus.to_string());
    } else {
        arguments.option("--cpu-shares", (milli_vcpus * SHARES_OF_A_VCPU / 1_000).max(2).to_string());
    }
    let memory = container.memory_mib;
    if memory > 0 {
        arguments.option("--memory", format!("{memory}m"));
        // Docker gives as much swap as memory where it is told nothing, and ECS tells it nothing.
        let swap = image.linux_parameters.max_swap.unwrap_or(memory);
        arguments.option("--memory-swap", format!("{}m", memory + swap));
    }
    match (kind, container.gpus) {
        (_, 0) => {}
        (Kind::Docker, gpus) => arguments.option("--gpus", gpus.to_string()),
        (Kind::Podman, gpus) => {
            (0..gpus).for_each(|gpu| arguments.option("--device", format!("nvidia.com/gpu={gpu}")));
        }
    }
}

fn linux_parameters(arguments: &mut Arguments, image: &Image) {
    let linux = &image.linux_parameters;
    if linux.init_process_enabled {
        arguments.flag("--init");
    }
    if let Some(size) = linux.shared_memory_size {
        arguments.option("--shm-size", format!("{size}m"));
    }
    if let Some(swappiness) = linux.swappiness {
        arguments.option("--memory-swappiness", swappiness.to_string());
    }
    for tmpfs in &linux.tmpfs {
        let options: String = tmpfs.mount_options.iter().map(|option| format!(",{option}")).collect();
        arguments.option("--tmpfs", format!("{}:size={}m{options}", tmpfs.container_path, tmpfs.size));
    }
    for device in &linux.devices {
        let inside = device.container_path.as_ref().unwrap_or(&device.host_path);
        let letters: String = ["READ", "WRITE", "MKNOD"]
            .iter()
            .zip(["r", "w", "m"])
            .filter(|(word, _)| {
                device.permissions.is_empty() || device.permissions.iter().any(|p| p == *word)
            })
            .map(|(_, letter)| letter)
            .collect();
        arguments.option("--device", format!("{}:{inside}:{letters}", device.host_path));
    }
}

fn volumes(arguments: &mut Arguments, image: &Image) -> Result<(), String> {
    for mount in &image.mount_points {
        let volume = image.volumes.iter().find(|volume| volume.name == mount.source_volume);
        let refuse = |why: String| Err(format!("CannotCreateContainerError: {why}"));
        let Some(volume) = volume else {
            return refuse(format!("Unknown volume '{}'", mount.source_volume));
        };
        if volume.efs_volume_configuration.is_some() {
            return refuse(format!("volume '{}' is on EFS, which is not there on this machine", volume.name));
        }
        let inside = &mount.container_path;
        let access = if mount.read_only { ":ro" } else { "" };
        match &volume.host.source_path {
            Some(source) => arguments.option("--volume", format!("{source}:{inside}{access}")),
            // It ends with the container, as on ECS.
            None => arguments.option("--volume", inside.clone()),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::domain::JobDefinition;
    use crate::engine::core::MilliVcpus;

    fn container(command: &[&str]) -> LaunchedContainer {
        LaunchedContainer {
            name: "default".into(),
            essential: true,
            node: 0,
            decides: true,
            depends_on: Vec::new(),
            command: command.iter().map(|&argument| argument.into()).collect(),
            environment: vec![("a.b".into(), "1 2".into())],
            log_stream: "d/default/t".into(),
            image: None,
            vcpus: MilliVcpus(250),
            memory_mib: 64,
            gpus: 0,
        }
    }

    fn image(properties: Value, more: Value) -> Image {
        let definition = JobDefinition {
            image: Some("busybox".into()),
            container_properties: properties.as_object().unwrap().clone(),
            more: more.as_object().unwrap().clone(),
            ..JobDefinition::default()
        };
        *Image::of(&definition).unwrap().unwrap()
    }

    fn created(kind: Kind, container: &LaunchedContainer, image: &Image) -> Result<String, String> {
        let runtime = ContainerRuntime::for_tests(kind);
        let names = Names { name: "n", state: Path::new("/s") };
        let inherited = [("A".into(), "1".into())];
        let arguments = create(&runtime, &names, container, image, &inherited)?;
        Ok(arguments.iter().map(|argument| argument.to_str().unwrap()).collect::<Vec<_>>().join(" "))
    }

    #[test]
    fn a_plain_image_runs_as_batch_runs_it_on_ec2() {
        let arguments = created(Kind::Docker, &container(&["echo", "--name"]), &image(json!({}), json!({})));
        assert_eq!(
            arguments.unwrap(),
            "create --name n --label batchwright.state=/s --log-driver json-file --network host --cpu-shares 256 \
             --memory 64m --memory-swap 128m --env A=1 --env a.b=1 2 busybox echo --name"
        );
    }

    #[test]
    fn every_member_has_its_option() {
        let linux = |member: &str, value: Value| json!({"linuxParameters": {member: value}});
        let host = json!([{"name": "v", "host": {"sourcePath": "/data"}}, {"name": "own"}]);
        let mount = |volume: &str, read_only: bool| {
            json!({"volumes": host, "mountPoints": [
                {"sourceVolume": volume, "containerPath": "/in", "readOnly": read_only}]})
        };
        let device = json!([{"hostPath": "/dev/fuse"}, {"hostPath": "/a", "containerPath": "/b", "permissions": ["READ"]}]);
        for (properties, docker, podman) in [
            (json!({"user": "nobody"}), "--user nobody", "--user nobody"),
            (json!({"privileged": true}), "--privileged", "--privileged"),
            (json!({"readonlyRootFilesystem": true}), "--read-only", "--read-only --read-only-tmpfs=false"),
            (
                json!({"ulimits": [{"name": "nofile", "softLimit": 1, "hardLimit": 2}]}),
                "--ulimit nofile=1:2",
                "--ulimit nofile=1:2",
            ),
            (linux("initProcessEnabled", json!(true)), "--init", "--init"),
            (linux("sharedMemorySize", json!(8)), "--shm-size 8m", "--shm-size 8m"),
            (linux("maxSwap", json!(0)), "--memory-swap 64m", "--memory-swap 64m"),
            (linux("swappiness", json!(10)), "--memory-swappiness 10", "--memory-swappiness 10"),
            (
                linux("tmpfs", json!([{"containerPath": "/t", "size": 4, "mountOptions": ["noexec"]}])),
                "--tmpfs /t:size=4m,noexec",
                "--tmpfs /t:size=4m,noexec",
            ),
            (
                linux("devices", device),
                "--device /dev/fuse:/dev/fuse:rwm --device /a:/b:r",
                "--device /dev/fuse:/dev/fuse:rwm --device /a:/b:r",
            ),
            (mount("v", false), "--volume /data:/in", "--volume /data:/in"),
            (mount("v", true), "--volume /data:/in:ro", "--volume /data:/in:ro"),
            (mount("own", false), "--volume /in", "--volume /in"),
        ] {
            let image = image(properties.clone(), json!({}));
            for (kind, expected) in [(Kind::Docker, docker), (Kind::Podman, podman)] {
                let arguments = created(kind, &container(&["x"]), &image).unwrap();
                assert!(arguments.contains(&format!("{expected} ")), "{properties}: {arguments}");
            }
        }
    }

    #[test]
    fn gpus_and_what_fargate_does_otherwise() {
        let with_gpus = LaunchedContainer { gpus: 2, ..container(&["x"]) };
        let plain = image(json!({}), json!({}));
        assert!(created(Kind::Docker, &with_gpus, &plain).unwrap().contains("--gpus 2 "));
        let podman = created(Kind::Podman, &with_gpus, &plain).unwrap();
        assert!(podman.contains("--device nvidia.com/gpu=0 --device nvidia.com/gpu=1 "), "{podman}");
        let fargate = image(json!({}), json!({"platformCapabilities": ["FARGATE"]}));
        let fargate = created(Kind::Docker, &container(&["x"]), &fargate).unwrap();
        assert!(fargate.contains("--cpus 0.25 ") && !fargate.contains("--network"), "{fargate}");
    }

    #[test]
    fn a_volume_that_is_not_there_is_a_container_that_can_not_be_created() {
        let mount = json!([{"sourceVolume": "v", "containerPath": "/in"}]);
        let efs = json!([{"name": "v", "efsVolumeConfiguration": {"fileSystemId": "fs-1"}}]);
        for (properties, expected) in [
            (json!({"mountPoints": mount}), "CannotCreateContainerError: Unknown volume 'v'"),
            (
                json!({"mountPoints": mount, "volumes": efs}),
                "CannotCreateContainerError: volume 'v' is on EFS, which is not there on this machine",
            ),
        ] {
            let image = image(properties, json!({}));
            assert_eq!(created(Kind::Docker, &container(&["x"]), &image).unwrap_err(), expected);
        }
    }
}
