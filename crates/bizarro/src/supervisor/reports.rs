//! Writes down what one invocation made of a test: the page and the report as data.

use std::collections::BTreeMap;

use bizarro_explore::{MatrixReport, Properties, SchedulesReport, SwarmReport};
use bizarro_record::RunRecord;
use bizarro_report::report::{Document, Explored, Subject, report};
use bizarro_report::{DATA, Exit, PAGE, page, write_file};

use super::keep::Keep;
use super::runner::TestCase;
use super::session::Conclusion;
use super::settings::Settings;
use super::symbols::Symbols;

/// What is known so far.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    baseline: Option<RunRecord>,
    run: Option<RunRecord>,
    matrix: Option<MatrixReport>,
    schedules: Option<SchedulesReport>,
    swarm: Option<SwarmReport>,
    properties: Properties,
    kept: BTreeMap<String, RunRecord>,
}

impl Reports {
    /// Of a single run, whose frames have names already, beside its baseline where it is another run.
    pub(crate) fn of_run(baseline: Option<RunRecord>, run: RunRecord) -> Reports {
        let mut properties = Properties::default();
        properties.add(&run);
        let (baseline, run) = match baseline {
            Some(mut baseline) => {
                Symbols::own().name_record(&mut baseline);
                (baseline, Some(run))
            }
            None => (run, None),
        };
        Reports { baseline: Some(baseline), run, properties, ..Reports::default() }
    }

    /// There is a matrix; gives its baseline.
    pub(crate) fn matrix(&mut self, report: MatrixReport) -> &RunRecord {
        &self.matrix.insert(report).baseline
    }

    /// There are random schedules.
    pub(crate) fn schedules(&mut self, report: SchedulesReport) {
        self.schedules = Some(report);
    }

    /// There is a swarm.
    pub(crate) fn swarm(&mut self, report: SwarmReport) {
        self.swarm = Some(report);
    }

    /// The exploration is over.
    pub(crate) fn all(&mut self, mut baseline: RunRecord, properties: &Properties, keep: Keep) {
        Symbols::own().name_record(&mut baseline);
        self.baseline = Some(baseline);
        self.properties = properties.clone();
        self.kept = keep.into_runs();
    }

    /// Writes the files, where they are wanted; that they could not be written is added to the conclusion.
    pub(crate) fn write(
        mut self,
        test: &TestCase,
        settings: &Settings,
        conclusion: Conclusion,
    ) -> Conclusion {
        let (Some(directory), Some(baseline)) = (&settings.report, self.baseline.take()) else {
            return conclusion;
        };
        self.name_frames();
        let subject = Subject {
            model: &test.model.to_string(),
            world: &test.blueprint,
            exit: conclusion.exit,
        };
        let report = report(
            subject,
            Explored {
                baseline: &baseline,
                run: self.run.as_ref(),
                matrix: self.matrix.as_ref(),
                schedules: self.schedules.as_ref(),
                swarm: self.swarm.as_ref(),
                properties: &self.properties,
                kept: &self.kept,
            },
        );
        let drawn = page(&report);
        let data = Document::new(vec![report]).to_json();
        let written = write_file(&directory.join(PAGE), drawn.as_bytes())
            .and_then(|()| write_file(&directory.join(DATA), data.as_bytes()));
        match written {
            Ok(()) => conclusion,
            Err(error) => Conclusion {
                text: format!("{}\nerror: {error}", conclusion.text.trim_end()),
                exit: Exit::worst([conclusion.exit, Exit::Usage]),
            },
        }
    }

    /// Frames of what a reader can open. A name is looked up once: it is no address.
    fn name_frames(&mut self) {
        let mut symbols = Symbols::own();
        let matrix = self.matrix.iter_mut().flat_map(|matrix| &mut matrix.findings);
        let schedules = self.schedules.iter_mut().flat_map(|schedules| &mut schedules.findings);
        let swarm = self.swarm.iter_mut().flat_map(|swarm| &mut swarm.findings);
        let found = matrix.chain(schedules).chain(swarm).map(|finding| &mut finding.record);
        found.chain(self.kept.values_mut()).for_each(|record| symbols.name_record(record));
    }
}
