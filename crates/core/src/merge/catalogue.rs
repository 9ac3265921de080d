//! What is said of each method: its name, what it takes, what it does and where it comes from.

use std::ops::RangeInclusive;

use super::{Base, Method, Parameter, Scope, Value};

/// Everything that is said of a method.
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) base: Base,
    pub(super) models: RangeInclusive<usize>,
    pub(super) parameters: &'static [Parameter],
    pub(super) about: &'static str,
    pub(super) source: &'static str,
}

const ANY: RangeInclusive<usize> = 1..=usize::MAX;

const fn merge(name: &'static str, default: Option<Value>, about: &'static str) -> Parameter {
    Parameter { name, scope: Scope::Merge, default, about }
}

const fn model(name: &'static str, default: Option<Value>, about: &'static str) -> Parameter {
    Parameter { name, scope: Scope::Model, default, about }
}

const fn number(number: f64) -> Option<Value> {
    Some(Value::Number(number))
}

const fn flag(flag: bool) -> Option<Value> {
    Some(Value::Flag(flag))
}

const WEIGHT: Parameter = model("weight", None, "how much of this model");
const DENSITY: Parameter = model("density", number(1.0), "the share of this model's delta that is kept");
const UNUSED_DENSITY: Parameter = model("density", number(1.0), "nothing: task arithmetic keeps whole deltas");
const GAMMA: Parameter = model("gamma", number(0.01), "the share of the largest changes that is dropped");
const SPREAD: Parameter =
    model("epsilon", number(0.15), "how far the probability of keeping a value goes above and below the density");
const SCALE: Parameter = merge("lambda", number(1.0), "what the sum of the deltas is multiplied by");
const MASK: Parameter = merge("int8_mask", flag(false), "nothing here: how mergekit stores its masks");
const UNUSED_RESCALE: Parameter = merge("rescale", flag(false), "nothing: task arithmetic keeps whole deltas");

const fn normalised(default: bool) -> Parameter {
    merge("normalize", flag(default), "divide by the sum of the weights that went into a value")
}

const fn rescaled(default: bool) -> Parameter {
    merge("rescale", flag(default), "give a thinned delta back its L1 norm")
}

impl Method {
    /// What is said of it.
    pub(super) const fn description(self) -> &'static Description {
        match self {
            Self::Linear => {
                const {
                    &Description {
                        name: "linear",
                        base: Base::Unused,
                        models: ANY,
                        parameters: &[WEIGHT, merge("normalize", flag(true), "divide by the sum of the weights")],
                        about: "the weighted mean of the models, element by element",
                        source: "Wortsman et al., Model soups, arXiv 2203.05482",
                    }
                }
            }
            Self::Passthrough => {
                const {
                    &Description {
                        name: "passthrough",
                        base: Base::Unused,
                        models: 1..=1,
                        parameters: &[model("scale", number(1.0), "what the values are multiplied by")],
                        about: "one model as it is, or times a number",
                        source: "mergekit",
                    }
                }
            }
            Self::Slerp => {
                const {
                    &Description {
                        name: "slerp",
                        base: Base::Required,
                        models: 1..=1,
                        parameters: &[merge("t", None, "how far from the base (0) to the model (1)")],
                        about: "on the arc from the base to the model, as far as t says",
                        source: "Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985",
                    }
                }
            }
            Self::NuSlerp => {
                const {
                    &Description {
                        name: "nuslerp",
                        base: Base::Optional,
                        models: 2..=2,
                        parameters: &[
                            WEIGHT,
                            merge("nuslerp_flatten", flag(true), "take the whole tensor for one vector"),
                            merge(
                                "nuslerp_row_wise",
                                flag(false),
                                "unless flattened: take runs of the first axis for vectors, not of the last",
                            ),
                        ],
                        about: "on the arc between two models, or between their deltas, as far as the weights say",
                        source: "Shoemake, Animating rotation with quaternion curves, SIGGRAPH 1985; mergekit",
                    }
                }
            }
            Self::MultiSlerp => {
                const {
                    &Description {
                        name: "multislerp",
                        base: Base::Optional,
                        models: ANY,
                        parameters: &[
                            WEIGHT,
                            merge("normalize_weights", flag(true), "divide by the sum of the weights"),
                            merge("eps", number(1e-8), "lengths below this are none"),
                        ],
                        about: "the mean direction of the models, or of their deltas, with their mean length",
                        source: "Goddard, multislerp, mergekit",
                    }
                }
            }
            Self::Karcher => {
                const {
                    &Description {
                        name: "karcher",
                        base: Base::Unused,
                        models: ANY,
                        parameters: &[
                            merge("max_iter", number(10.0), "the most steps that are taken"),
                            merge("tol", number(1e-5), "a step shorter than this is the last"),
                        ],
                        about: "the point on the sphere nearest to all models' directions, with their mean length",
                        source: "Grove and Karcher, How to conjugate C1-close group actions, 1973",
                    }
                }
            }
            Self::ModelStock => {
                const {
                    &Description {
                        name: "model_stock",
                        base: Base::Required,
                        models: 2..=usize::MAX,
                        parameters: &[merge("filter_wise", flag(false), "an angle for every row, not for the tensor")],
                        about: "between the base and the models' mean, as far as the angles between their deltas say",
                        source: "Jang et al., Model Stock, arXiv 2403.19522",
                    }
                }
            }
            Self::TaskArithmetic => {
                const {
                    &Description {
                        name: "task_arithmetic",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, UNUSED_DENSITY, normalised(false), UNUSED_RESCALE, SCALE, MASK],
                        about: "the base and the weighted sum of the models' deltas",
                        source: "Ilharco et al., Editing models with task arithmetic, arXiv 2212.04089",
                    }
                }
            }
            Self::Ties => {
                const {
                    &Description {
                        name: "ties",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, normalised(true), rescaled(false), SCALE, MASK],
                        about: "the largest changes of each model, added where they have the prevailing sign",
                        source: "Yadav et al., TIES-Merging, arXiv 2306.01708",
                    }
                }
            }
            Self::DareLinear => {
                const {
                    &Description {
                        name: "dare_linear",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, normalised(false), rescaled(true), SCALE, MASK],
                        about: "random changes of each model, rescaled and added",
                        source: "Yu et al., Language models are Super Mario, arXiv 2311.03099",
                    }
                }
            }
            Self::DareTies => {
                const {
                    &Description {
                        name: "dare_ties",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, normalised(false), rescaled(true), SCALE, MASK],
                        about: "random changes of each model, rescaled and added where they have the prevailing sign",
                        source: "Yu et al., Language models are Super Mario, arXiv 2311.03099",
                    }
                }
            }
            Self::Della => {
                const {
                    &Description {
                        name: "della",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, SPREAD, normalised(true), rescaled(true), SCALE, MASK],
                        about: "random changes of each model, large ones rather, added where they have the prevailing sign",
                        source: "Deep et al., DELLA-Merging, arXiv 2406.11617",
                    }
                }
            }
            Self::DellaLinear => {
                const {
                    &Description {
                        name: "della_linear",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, SPREAD, normalised(false), rescaled(true), SCALE, MASK],
                        about: "random changes of each model, large ones rather, added",
                        source: "Deep et al., DELLA-Merging, arXiv 2406.11617",
                    }
                }
            }
            Self::Breadcrumbs => {
                const {
                    &Description {
                        name: "breadcrumbs",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, GAMMA, normalised(false), rescaled(false), SCALE, MASK],
                        about: "changes of each model that are neither the largest nor the smallest, added",
                        source: "Davari and Belilovsky, Model Breadcrumbs, arXiv 2312.06795",
                    }
                }
            }
            Self::BreadcrumbsTies => {
                const {
                    &Description {
                        name: "breadcrumbs_ties",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[WEIGHT, DENSITY, GAMMA, normalised(false), rescaled(false), SCALE, MASK],
                        about: "changes that are neither the largest nor the smallest, where they have the prevailing sign",
                        source: "Davari and Belilovsky, Model Breadcrumbs, arXiv 2312.06795",
                    }
                }
            }
            Self::Sce => {
                const {
                    &Description {
                        name: "sce",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[
                            merge(
                                "select_topk",
                                number(1.0),
                                "the share of the positions that vary, the most varying first",
                            ),
                            MASK,
                        ],
                        about: "changes where the models differ most, weighed by their squares, of the prevailing sign",
                        source: "Wan et al., FuseChat, arXiv 2408.07990",
                    }
                }
            }
            Self::Ram => {
                const {
                    &Description {
                        name: "ram",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[CHANGED],
                        about: "changes that several models made averaged, those of one model kept whole",
                        source: "Yuan et al., Behavior Knowledge Merge in Reinforced Agentic Models, arXiv 2601.13572",
                    }
                }
            }
            Self::RamPlus => {
                const {
                    &Description {
                        name: "ramplus_tl",
                        base: Base::Required,
                        models: ANY,
                        parameters: &[
                            CHANGED,
                            merge("r", number(0.1), "how much shared changes strengthen a model's own"),
                            merge("alpha", number(0.2), "the most that shared over own changes counts as"),
                        ],
                        about: "as ram, but a model's own changes are strengthened the more it shares, tensor by tensor",
                        source: "Yuan et al., Behavior Knowledge Merge in Reinforced Agentic Models, arXiv 2601.13572",
                    }
                }
            }
            Self::Nearswap => {
                const {
                    &Description {
                        name: "nearswap",
                        base: Base::Required,
                        models: 1..=1,
                        parameters: &[merge("t", None, "elements no further apart than this are taken over")],
                        about: "the model's values where they are near the base's, the base's where they are far",
                        source: "alchemonaut, QuartetAnemoi-70B-t0.0001",
                    }
                }
            }
            Self::ArceeFusion => {
                const {
                    &Description {
                        name: "arcee_fusion",
                        base: Base::Required,
                        models: 1..=1,
                        parameters: &[],
                        about: "the model's values where they stand out, the base's elsewhere",
                        source: "Arcee AI, MergeKit v0.1",
                    }
                }
            }
        }
    }
}

const CHANGED: Parameter = merge("epsilon", number(1e-5), "changes of at most this size are none");
