module dhsa-check

go 1.18
