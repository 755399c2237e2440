# Python's own image rather than apache/airflow:3.3.2-python3.11: that one comes with some hundred packages at the versions
# of Airflow's constraints, and our lock installed over them leaves a mixture that no test has seen. Here it is exactly
# the lock, as in `make run`. The official image's entrypoint is not missed: docker-compose.yaml does its work in airflow-init.
FROM python:3.11.14-slim-bookworm AS locked
ENV PYTHONUNBUFFERED=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
# The lock alone first: the layer is made again only when a pin moves. --no-deps: what is not in the lock stays out.
COPY requirements.txt /tmp/requirements.txt
RUN pip install --no-deps --requirement /tmp/requirements.txt && pip check

FROM locked AS wheel
WORKDIR /build
COPY pyproject.toml README.md LICENSE ./
COPY include include
COPY plugins plugins
COPY tools tools
COPY dags dags
COPY config config
RUN pip wheel --no-deps --no-build-isolation --wheel-dir /dist .

FROM locked

# Any user of group 0 may run it (AIRFLOW_UID), also one without an entry in /etc/passwd: hence the names and the home.
ENV AIRFLOW_HOME=/opt/airflow \
    HOME=/home/airflow \
    USER=airflow \
    LOGNAME=airflow
RUN useradd --uid 50000 --gid 0 --create-home airflow \
    && mkdir -p /opt/airflow/logs /data/sas /data/products \
    && chown -R airflow:0 /opt/airflow /data /home/airflow \
    && chmod -R g+rwX /opt/airflow /data /home/airflow

COPY --from=wheel /dist /tmp/dist
RUN pip install --no-deps /tmp/dist/*.whl

WORKDIR /opt/airflow
COPY --chown=airflow:0 config config
COPY --chown=airflow:0 dags dags
# Every task is a new process, and one of another user (AIRFLOW_UID) could not keep what it compiles: it would do it again.
RUN python -m compileall -q config

USER airflow
ENTRYPOINT ["airflow"]
CMD ["version"]
