process.env.RACES_RUNS ??= '30'
