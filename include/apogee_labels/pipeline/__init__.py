"""The steps of a file's way from the archive to the catalogue, for operators and notebooks alike.

Each module is one step.  Each step says what it takes, whether that is done already (by identity, ARCHITECTURE.md), and what
it makes; each records its outcome in the catalogue before it returns, a rejection included.

==============  =====================================================================================
`workspace`     where an installation keeps things: settings, catalogue, archive, product paths
`identities`    what each product is known by
`scan`          bring the catalogue's index of the archive up to date
`night`         which files of a night are due; what became of them; the night's table
`normalize`     files, each on its own: read, normalise its continuum, keep the product
`rebuild`       a product that is missing or damaged, made anew from the archive
`train`         a training set: read, train, keep the model
`model_report`  a model: validated, compared with the one in force on reference stars, judged
`acceptance`    a model that was judged: in force, asked about, refused; back to an earlier one
`infer`         normalised files and a model: labels
`reanalysis`    everything without a result by a model, in batches, from the stored spectra
`republish`     the tables that new results make out of date
`retention`     what products take on disk, and which of them go
==============  =====================================================================================
"""
