//! How attempts are run as processes.

use std::path::PathBuf;

use super::attendant::AttendantProgram;
use super::containers::ContainerRuntime;
use super::environment::Variable;

/// What attempts run under, and what they get.
#[derive(Debug, Clone)]
pub struct ProcessSettings {
    /// The job file whose jobs are run so, those that an earlier run of it left among them. `None`: no file's.
    pub job_file: Option<PathBuf>,
    /// The program that attends each attempt.
    pub attendant: AttendantProgram,
    /// Where commands run. `None`: each attempt in an empty folder of its own, as a container does.
    pub workdir: Option<PathBuf>,
    /// The folder of whoever runs the engine, to tell a person which files a failed command did not find.
    pub caller_folder: PathBuf,
    /// The environment of every process, over which its own variables lie; see [`job_environment`].
    ///
    /// [`job_environment`]: super::job_environment
    pub environment: Vec<Variable>,
    /// What runs the images of jobs that have one. `None`: their commands run as processes too.
    pub containers: Option<ContainerRuntime>,
    /// The environment of every container, over which its own variables lie; see [`passed_environment`].
    ///
    /// [`passed_environment`]: super::passed_environment
    pub container_environment: Vec<Variable>,
    /// Keeps the folders of attempts that have ended, to look at.
    pub keep_workdirs: bool,
}
